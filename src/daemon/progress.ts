import type { Instance } from './instance.ts'
import type { System } from '../system/ports.ts'
import type { Signs } from '../core/health.ts'
import type { Log } from '../system/log.ts'

type Options = { readonly log: Pick<Log, 'follow'>; readonly elapsed: () => number }

/** What each unit writes while not everything is up. To watch the lines of a busy Mathesar would cost it. */
export class Progress {
  readonly #options: Options
  readonly #signs = new Map<string, Signs>()
  #unfollow: (() => void) | undefined

  constructor(options: Options) {
    this.#options = options
  }

  signsOf(unit: string): Signs | undefined {
    return this.#signs.get(unit)
  }

  /** Watches from now on, or no more. */
  watch(isNeeded: boolean): void {
    if (isNeeded === (this.#unfollow !== undefined)) return
    this.#unfollow?.()
    this.#unfollow = undefined
    if (!isNeeded) return
    const { log, elapsed } = this.#options
    this.#signs.clear()
    this.#unfollow = log.follow((unit, text) => {
      const { lines = 0 } = this.#signs.get(unit) ?? {}
      this.#signs.set(unit, { lines: lines + text.split('\n').length - 1, lastMs: elapsed() })
    })
  }
}

/** Watches an instance while not everything is up. */
export const startProgress = (
  instance: Pick<Instance, 'isReady' | 'subscribe'>,
  { log, clock }: Pick<System, 'log' | 'clock'>,
): Progress => {
  const progress = new Progress({ log, elapsed: clock.elapsed })
  progress.watch(true)
  instance.subscribe(() => progress.watch(!instance.isReady))
  return progress
}
