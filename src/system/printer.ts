import { tame } from '../core/tame.ts'
import { EventFinder, formatEvent, type Level, levels, prefixOf } from '../core/log-lines.ts'

/** What is delivered at once; one event may be longer. */
const blockBytes = 128 * 1024
const longestBytes = 384 * 1024
const newlineByte = 10

/** Takes `events` whole events. The block is overwritten afterwards. */
type Deliver = (unit: string, block: Buffer, events: number) => void

/**
 * Puts each event of a service behind its prefix, and delivers them by the block. The lines of services stay
 * bytes from pipe to pipe: strings would cost four times as much. All services take turns with one block.
 */
export class Printer {
  readonly #format: 'text' | 'json'
  readonly #deliver: Deliver
  readonly #hidden: ReadonlySet<Level>
  readonly #finder = new EventFinder()
  #block: Buffer | undefined
  #used = 0
  #events = 0

  /** Events below `least` are left out. */
  constructor(format: 'text' | 'json', deliver: Deliver, least: Level = 'debug') {
    this.#format = format
    this.#deliver = deliver
    this.#hidden = new Set(levels.slice(0, levels.indexOf(least)))
  }

  /** Returns where in `output` the rest begins. */
  print(unit: string, output: Buffer, isLast: boolean): number {
    const time = new Date().toISOString()
    const prefixes: Partial<Record<Level, Buffer>> = {}
    const rest = this.#finder.find(output, isLast, (start, end, level, lines) => {
      if (this.#hidden.has(level)) return
      const prefix = (prefixes[level] ??= Buffer.from(prefixOf(time, level, unit)))
      const bytes = end - start + 1 + lines * prefix.length
      if (this.#format === 'json' || bytes > longestBytes) {
        const text = output.toString('utf8', start, end)
        return this.#addText(unit, formatEvent(this.#format, time, unit, { level, text }))
      }
      if (this.#used > 0 && this.#used + bytes > blockBytes) this.#send(unit)
      this.#addLines(output, start, end, prefix, lines)
    })
    this.#send(unit)
    return rest
  }

  #space(): Buffer {
    return (this.#block ??= Buffer.allocUnsafeSlow(longestBytes))
  }

  #send(unit: string): void {
    if (this.#events > 0) this.#hand(unit, this.#space().subarray(0, this.#used), this.#events)
    this.#used = 0
    this.#events = 0
  }

  #hand(unit: string, bytes: Buffer, events: number): void {
    if (this.#format === 'text') tame(bytes)
    this.#deliver(unit, bytes, events)
  }

  #addText(unit: string, text: string): void {
    const event = Buffer.from(text)
    if (this.#used + event.length > blockBytes) this.#send(unit)
    if (event.length > blockBytes) return this.#hand(unit, event, 1)
    this.#used += event.copy(this.#space(), this.#used)
    this.#events++
  }

  #addLines(output: Buffer, start: number, end: number, prefix: Buffer, lines: number): void {
    const block = this.#space()
    let used = this.#used
    for (let from = start; from < end;) {
      const newline = lines === 1 ? -1 : output.indexOf(newlineByte, from)
      const to = newline < 0 || newline > end ? end : newline
      block.set(prefix, used)
      used += prefix.length
      output.copy(block, used, from, to)
      used += to - from
      block[used++] = newlineByte
      from = to + 1
    }
    this.#used = used
    this.#events++
  }
}
