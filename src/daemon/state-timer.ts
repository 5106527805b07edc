import type { ServiceState, TimerEvent } from '../core/service-state.ts'
import { timerKeyOf, timerOf } from '../core/timers.ts'
import type { Policy } from '../core/unit.ts'
import type { System } from '../system/ports.ts'

/** The one timer of a service's state. A new state arms its own, and cancels that of the one before. */
export class StateTimer {
  readonly #system: Pick<System, 'clock' | 'random'>
  readonly #onElapsed: (event: TimerEvent) => void
  #key = ''
  #cancel = (): void => {}

  constructor(system: Pick<System, 'clock' | 'random'>, onElapsed: (event: TimerEvent) => void) {
    this.#system = system
    this.#onElapsed = onElapsed
  }

  arm(state: ServiceState, policy: Policy): void {
    const key = timerKeyOf(state, policy)
    if (key === this.#key) return
    this.#key = key
    this.#cancel()
    const timer = timerOf(state, policy, this.#system.random())
    this.#cancel = timer
      ? this.#system.clock.after(timer.afterMs, () => this.#onElapsed(timer.event))
      : () => {}
  }
}
