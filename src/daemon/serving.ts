import { isUp, type ServiceState } from '../core/service-state.ts'
import type { Milliseconds } from '../core/unit.ts'
import type { System } from '../system/ports.ts'
import type { Scope, ServiceUnit } from '../units/unit.ts'

/** How long requests wait for a service that is stopped on purpose: for a change, or by a person. */
const plannedMs = 30_000
/** How long they wait for one that died: it is usually back sooner. */
const crashedMs = 3000

/** The moment that a service may be away before its visitors hear of it; `undefined` while it serves. */
const patienceOf = ({ name, failures }: ServiceState): Milliseconds | undefined => {
  switch (name) {
    case 'ready':
      return undefined
    case 'waiting':
    case 'failed':
      return 0
    case 'unready':
    case 'backoff':
      return crashedMs
    case 'starting':
    case 'stopping':
    case 'stopped':
      return failures > 0 ? crashedMs : plannedMs
  }
}

/** What a service lives in. */
export type Surroundings = {
  readonly system: System
  /** What is in force now. */
  readonly scope: () => Scope
  /** Whether every service that it depends on is up: else it could answer with errors only. */
  readonly areDependenciesUp: () => boolean
  readonly onChange: () => void
}

/** Tells when a service begins to serve, and when it has been away for longer than a moment. */
export class Serving {
  readonly #unit: ServiceUnit
  readonly #options: Surroundings
  #isServing = false
  #isHidden = false
  #isBackSoon = false
  #deadlineMs = Number.POSITIVE_INFINITY
  #cancel = (): void => {}

  constructor(unit: ServiceUnit, options: Surroundings) {
    this.#unit = unit
    this.#options = options
  }

  get isServing(): boolean {
    return this.#isServing
  }

  /** It is away, and usually back before a visitor has to hear of it. */
  get isBackSoon(): boolean {
    return this.#isBackSoon
  }

  /** Takes a state of the service into account. The clock goes on through states in which it is away. */
  update(state: ServiceState): void {
    if (this.#isHidden) return
    if (isUp(state) && !this.#options.areDependenciesUp()) return this.#leave()
    const patienceMs = patienceOf(state)
    if (patienceMs === undefined) return this.#set(true)
    if (!this.#isServing) return
    const { clock } = this.#options.system
    const deadlineMs = clock.elapsed() + patienceMs
    if (deadlineMs >= this.#deadlineMs) return
    this.#deadlineMs = deadlineMs
    this.#cancel()
    if (patienceMs === 0) return this.#set(false)
    this.#cancel = clock.after(patienceMs, () => this.#set(false))
  }

  /** While hidden, it serves nobody: the container stops, or the service is to sleep. */
  setHidden(isHidden: boolean, state: ServiceState): void {
    this.#isHidden = isHidden
    if (isHidden) this.#set(false)
    else this.update(state)
  }

  /** Something else keeps it from serving. Requests wait a moment. */
  #leave(): void {
    if (!this.#isServing) return
    const { system, onChange } = this.#options
    this.#set(false)
    this.#isBackSoon = true
    this.#cancel = system.clock.after(crashedMs, () => {
      this.#isBackSoon = false
      onChange()
    })
  }

  #set(isServing: boolean): void {
    this.#cancel()
    this.#deadlineMs = Number.POSITIVE_INFINITY
    this.#isBackSoon = false
    if (isServing === this.#isServing) return
    this.#isServing = isServing
    const { system, scope, onChange } = this.#options
    const { name, onServing } = this.#unit
    if (onServing !== undefined)
      system.inBackground(`tell that ${name} ${isServing ? 'serves' : 'is away'}`, () =>
        onServing(scope(), isServing),
      )
    onChange()
  }
}
