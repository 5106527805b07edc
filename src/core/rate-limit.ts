/** How often something may be done: `burst` times at once, and then once in `everyMs`. */
type Rate = { readonly burst: number; readonly everyMs: number }

/** Holds everybody together to a rate. It is two numbers, whoever asks how often. */
export class RateLimit {
  readonly #rate: Rate
  #left: number
  #atMs = 0

  constructor(rate: Rate) {
    this.#rate = rate
    this.#left = rate.burst
  }

  /** Milliseconds until it may be done again; 0 when it may be done now. */
  waitMs(nowMs: number): number {
    this.#fill(nowMs)
    return this.#left >= 1 ? 0 : Math.ceil((1 - this.#left) * this.#rate.everyMs)
  }

  /** It was done. */
  take(nowMs: number): void {
    this.#fill(nowMs)
    this.#left = Math.max(0, this.#left - 1)
  }

  #fill(nowMs: number): void {
    const { burst, everyMs } = this.#rate
    // A clock that is set back gives nothing.
    this.#left = Math.min(burst, this.#left + Math.max(0, nowMs - this.#atMs) / everyMs)
    this.#atMs = nowMs
  }
}
