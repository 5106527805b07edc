import type { System } from '../system/ports.ts'
import type { Instance } from './instance.ts'

/**
 * What people want who ask a running instance to stop: the first one a clean stop, also where a failure has
 * begun it already, and whoever asks again a quick one.
 */
export class StopRequests {
  readonly #system: Pick<System, 'inBackground'>
  readonly #instance: Pick<Instance, 'drain' | 'stop' | 'forceStop'>
  #isAsked = false

  constructor(
    system: Pick<System, 'inBackground'>,
    instance: Pick<Instance, 'drain' | 'stop' | 'forceStop'>,
  ) {
    this.#system = system
    this.#instance = instance
  }

  /** Whether anybody has asked: then nothing is to start over. */
  get isAsked(): boolean {
    return this.#isAsked
  }

  add(): void {
    if (this.#isAsked) return this.#instance.forceStop()
    this.#isAsked = true
    this.#system.inBackground('stop', async () => {
      try {
        await this.#instance.drain()
      } finally {
        await this.#instance.stop()
      }
    })
  }
}
