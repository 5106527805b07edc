import type { Clock } from '../system/ports.ts'

/** Those who wait until something is so. */
export class Waiters<State> {
  readonly #read: () => State
  readonly #checks = new Set<() => void>()

  constructor(read: () => State) {
    this.#read = read
  }

  /** Resolves once `isSo`, at once where it is. */
  until(isSo: (state: State) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (!isSo(this.#read())) return
        this.#checks.delete(check)
        resolve()
      }
      this.#checks.add(check)
      check()
    })
  }

  /** Resolves once `isSo`, and at the latest after `limitMs`. */
  async within(limitMs: number, isSo: (state: State) => boolean, clock: Pick<Clock, 'after'>): Promise<void> {
    const late = Promise.withResolvers<void>()
    const cancel = clock.after(limitMs, late.resolve)
    const isOver = (state: State): boolean => {
      if (!isSo(state)) return false
      cancel() // At once: whoever waits goes on later, and everything may have ended by then.
      return true
    }
    await Promise.race([late.promise, this.until(isOver)])
  }

  /** Has all of them check again. */
  wake(): void {
    for (const check of this.#checks) check()
  }
}
