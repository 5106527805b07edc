import { prefixOf, regroupEvents } from '../core/log-lines.ts'

const tailBytes = 256 * 1024
const timeLength = new Date(0).toISOString().length

/** The last bytes that were pushed, in a ring. */
class Tail {
  readonly #ring = Buffer.allocUnsafeSlow(tailBytes)
  #end = 0

  push(block: Buffer): void {
    const kept = block.length > tailBytes ? block.subarray(-tailBytes) : block
    const at = this.#end % tailBytes
    const fitting = kept.copy(this.#ring, at)
    kept.copy(this.#ring, 0, fitting)
    this.#end += kept.length
  }

  /** The whole lines in it. */
  lines(): string[] {
    const at = this.#end % tailBytes
    const isFull = this.#end > tailBytes
    const bytes = isFull
      ? Buffer.concat([this.#ring.subarray(at), this.#ring.subarray(0, at)])
      : this.#ring.subarray(0, this.#end)
    const text = bytes.toString('utf8', isFull ? bytes.indexOf('\n') + 1 : 0)
    return text.match(/.*\n/g) ?? []
  }
}

/** The last printed lines of each unit. */
export class Tails {
  readonly #format: 'text' | 'json'
  readonly #tails = new Map<string, Tail>()

  constructor(format: 'text' | 'json') {
    this.#format = format
  }

  push(unit: string, block: Buffer): void {
    let tail = this.#tails.get(unit)
    if (tail === undefined) {
      tail = new Tail()
      this.#tails.set(unit, tail)
    }
    tail.push(block)
  }

  /** The last `count` events of a unit, or of all units in the order of their time. */
  lastEvents(unit: string | undefined, count: number): string[] {
    const units = unit === undefined ? [...this.#tails.keys()] : [unit]
    const events = units.flatMap((name) => this.#eventsOf(name))
    if (unit === undefined) {
      const from = this.#format === 'json' ? '{"time":"'.length : 0
      const timeOf = (event: string): string => event.slice(0, from + timeLength)
      events.sort((a, b) => (timeOf(a) < timeOf(b) ? -1 : Number(timeOf(a) > timeOf(b))))
    }
    return events.slice(-count)
  }

  #eventsOf(unit: string): string[] {
    const lines = this.#tails.get(unit)?.lines() ?? []
    if (this.#format === 'json') return lines
    return regroupEvents(lines, prefixOf(new Date(0).toISOString(), 'info', unit).length)
  }
}
