import type { Clock } from '../../src/system/ports.ts'
import type { World } from './world.ts'

type Timer = { readonly cancel: () => void; readonly madeAt: string | undefined }

/** As Node's own promise of a timer says it. */
const abortError = (cause: unknown): Error =>
  Object.assign(new Error('The operation was aborted', { cause }), { name: 'AbortError', code: 'ABORT_ERR' })

/** The clock of one supervisor: with its death all its timers are gone, and at its end none may be left. */
export class SupervisorClock implements Clock {
  readonly now: Clock['now']
  readonly elapsed: Clock['elapsed']
  readonly delay: Clock['delay']
  readonly after: Clock['after']
  readonly #world: World
  readonly #timers = new Set<Timer>()
  #isStopped = false

  constructor(world: World) {
    this.#world = world
    this.now = () => world.timeline.nowMs
    const startMs = this.now()
    this.elapsed = () => this.now() - startMs
    this.after = (ms, act) => this.#arm(ms, act)
    this.delay = (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(abortError(signal.reason))
        const abort = (): void => {
          cancel()
          reject(abortError(signal?.reason))
        }
        const cancel = this.#arm(ms, () => {
          signal?.removeEventListener('abort', abort)
          resolve()
        })
        signal?.addEventListener('abort', abort, { once: true })
      })
  }

  /** Where the timers that are left were made; without a trace only how many. */
  get left(): readonly string[] {
    return [...this.#timers].map(({ madeAt = 'a timer' }) => madeAt)
  }

  stop(): void {
    this.#isStopped = true
    for (const { cancel } of this.#timers) cancel()
    this.#timers.clear()
  }

  #arm(ms: number, act: () => void): () => void {
    if (this.#isStopped) return () => {}
    const cancel = this.#world.timeline.after(ms, () => {
      this.#timers.delete(timer)
      act()
    })
    const timer: Timer = { cancel, madeAt: this.#world.isTraced ? new Error().stack : undefined }
    this.#timers.add(timer)
    return () => {
      cancel()
      this.#timers.delete(timer)
    }
  }
}
