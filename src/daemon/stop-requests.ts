import type { System } from '../system/ports.ts'
import type { Instance } from './instance.ts'
import { stoppingError } from './verdict.ts'

/**
 * What people want who ask a running instance to stop: the first one a clean stop, also where a failure has
 * begun it already, and whoever asks again a quick one.
 */
export class StopRequests {
  readonly #system: Pick<System, 'inBackground'>
  readonly #instance: Pick<Instance, 'drain' | 'stop' | 'forceStop'>
  readonly #asked = new AbortController()

  constructor(
    system: Pick<System, 'inBackground'>,
    instance: Pick<Instance, 'drain' | 'stop' | 'forceStop'>,
  ) {
    this.#system = system
    this.#instance = instance
  }

  /** Aborts when anybody asks. */
  get signal(): AbortSignal {
    return this.#asked.signal
  }

  /** Whether anybody has asked: then nothing is to start over. */
  get isAsked(): boolean {
    return this.signal.aborted
  }

  add(): void {
    if (this.isAsked) return this.#instance.forceStop()
    this.#asked.abort(stoppingError())
    this.#system.inBackground('stop', async () => {
      try {
        await this.#instance.drain()
      } finally {
        await this.#instance.stop()
      }
    })
  }
}
