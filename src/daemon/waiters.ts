import type { Clock } from '../system/ports.ts'

/** Those who wait until something is so. */
export class Waiters<State> {
  readonly #read: () => State
  readonly #looks = new Set<() => void>()

  constructor(read: () => State) {
    this.#read = read
  }

  /** Resolves once `isSo`, at once where it is. */
  until(isSo: (state: State) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!isSo(this.#read())) return
        this.#looks.delete(look)
        resolve()
      }
      this.#looks.add(look)
      look()
    })
  }

  /** Resolves once `isSo`, and at the latest after `limitMs`. */
  async within(limitMs: number, isSo: (state: State) => boolean, clock: Pick<Clock, 'delay'>): Promise<void> {
    const isOver = new AbortController()
    const late = clock.delay(limitMs, isOver.signal).catch(() => {})
    await Promise.race([late, this.until(isSo)])
    isOver.abort()
  }

  /** Has all of them look again. */
  wake(): void {
    for (const look of this.#looks) look()
  }
}
