import { prefixOf, regroupEvents } from '../core/log-lines.ts'

const tailBytes = 256 * 1024
/** Enough for a unit that says little. */
const firstBytes = 16 * 1024

/** Where the bytes of one push begin, and which one of all pushes it was. */
type Mark = { readonly at: number; readonly order: number }
type Placed = { readonly event: string; readonly order: number }

/** The last bytes that were pushed, in a ring, which grows once. */
class Tail {
  #ring: Buffer = Buffer.allocUnsafeSlow(firstBytes)
  #marks: Mark[] = []
  #needed = 1024
  #end = 0

  push(block: Buffer, order: number): void {
    this.#mark(order)
    const kept = block.length > tailBytes ? block.subarray(-tailBytes) : block
    this.#grow(this.#end + kept.length)
    const at = this.#end % tailBytes
    const fitting = kept.copy(this.#ring, at)
    kept.copy(this.#ring, 0, fitting)
    this.#end += kept.length
  }

  /** The whole events in it. `group` joins the lines of each; it gets bytes, each as a letter. */
  events(group: (lines: readonly string[]) => readonly string[]): Placed[] {
    const at = this.#end % tailBytes
    const isFull = this.#end > tailBytes
    const bytes = isFull
      ? Buffer.concat([this.#ring.subarray(at), this.#ring.subarray(0, at)])
      : this.#ring.subarray(0, this.#end)
    const start = isFull ? bytes.indexOf('\n') + 1 : 0
    let place = Math.max(0, this.#end - tailBytes) + start
    let mark = 0
    return group(bytes.toString('latin1', start).match(/[^\n]*\n/g) ?? []).map((letters) => {
      while ((this.#marks[mark + 1]?.at ?? Number.POSITIVE_INFINITY) <= place) mark++
      place += letters.length
      const event = Buffer.from(letters, 'latin1').toString()
      return { event, order: this.#marks[mark]?.order ?? 0 }
    })
  }

  /** Until then it is no ring: it holds all bytes in their order. */
  #grow(needed: number): void {
    const before = this.#ring
    if (needed <= before.length || before.length === tailBytes) return
    this.#ring = Buffer.allocUnsafeSlow(tailBytes)
    before.copy(this.#ring, 0, 0, this.#end)
  }

  /** Half of the marks may be of bytes that are gone: to drop each at once would take long. */
  #mark(order: number): void {
    this.#marks.push({ at: this.#end, order })
    if (this.#marks.length < 2 * this.#needed) return
    const oldest = this.#marks.findLastIndex(({ at }) => at <= this.#end - tailBytes)
    this.#marks.splice(0, Math.max(0, oldest))
    this.#needed = Math.max(1024, this.#marks.length)
  }
}

/** The last printed lines of each unit. */
export class Tails {
  readonly #format: 'text' | 'json'
  readonly #tails = new Map<string, Tail>()
  #pushes = 0

  constructor(format: 'text' | 'json') {
    this.#format = format
  }

  push(unit: string, block: Buffer): void {
    let tail = this.#tails.get(unit)
    if (tail === undefined) {
      tail = new Tail()
      this.#tails.set(unit, tail)
    }
    tail.push(block, this.#pushes++)
  }

  /** The last `count` events of a unit, or of all units as they came: a clock may be set back. */
  lastEvents(unit: string | undefined, count: number): string[] {
    const units = unit === undefined ? [...this.#tails.keys()] : [unit]
    const events = units.flatMap((name) => this.#eventsOf(name)).sort((a, b) => a.order - b.order)
    return events.slice(-count).map(({ event }) => event)
  }

  #eventsOf(unit: string): Placed[] {
    const prefixLength = prefixOf(new Date(0).toISOString(), 'info', unit).length
    const group = (lines: readonly string[]): readonly string[] =>
      this.#format === 'json' ? lines : regroupEvents(lines, prefixLength)
    return this.#tails.get(unit)?.events(group) ?? []
  }
}
