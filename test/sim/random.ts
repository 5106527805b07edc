/** Numbers that one seed determines (mulberry32). */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = Math.imul(seed, 0x9e3779b1) ^ (seed >>> 16)
  }

  /** In [0, 1). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  /** A whole number from `least` to `most`, both included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1))
  }

  pick<T>(list: readonly [T, ...T[]]): T {
    return list[Math.floor(this.next() * list.length)] ?? list[0]
  }

  /** Milliseconds around `usualMs`; one in twenty takes up to ten times as long. */
  latency(usualMs: number): number {
    return Math.floor(this.next() * 2 * usualMs * (this.chance(0.05) ? 5 : 1))
  }

  text(length: number): string {
    let text = ''
    while (text.length < length) text += this.next().toString(36).slice(2)
    return text.slice(0, length)
  }
}
