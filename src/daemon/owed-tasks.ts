import type { TaskUnit } from '../units/unit.ts'

/**
 * Tasks that a change had to run on its way back, and that failed: the disk was full, say. They are tried
 * until they work, but never beside a change, which may want the opposite.
 */
export class OwedTasks {
  readonly #runUntilDone: (unit: TaskUnit, signal: AbortSignal) => Promise<void>
  readonly #owed = new Set<TaskUnit>()
  #pausing = new AbortController()
  #running: Promise<void> = Promise.resolve()

  constructor(runUntilDone: (unit: TaskUnit, signal: AbortSignal) => Promise<void>) {
    this.#runUntilDone = runUntilDone
  }

  add(unit: TaskUnit): void {
    this.#owed.add(unit)
  }

  /** Carries out `change` while none of them runs. They go on after it, until `stopping` aborts. */
  async pauseWhile(change: () => Promise<void>, stopping: AbortSignal): Promise<void> {
    this.#pausing.abort()
    await this.#running
    try {
      await change()
    } finally {
      this.#pausing = new AbortController()
      this.#running = this.#runAll(AbortSignal.any([this.#pausing.signal, stopping]))
    }
  }

  async #runAll(signal: AbortSignal): Promise<void> {
    for (const unit of this.#owed) {
      await this.#runUntilDone(unit, signal).catch(() => {}) // It rejects only when it is to pause.
      if (signal.aborted) return
      this.#owed.delete(unit)
    }
  }
}
