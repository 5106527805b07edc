import { StringDecoder } from 'node:string_decoder'
import type { LogEvent } from '../core/log-lines.ts'

/** A longer line is cut: the rest of it is a line of its own. */
const lineLimit = 16 * 1024

type Options = {
  readonly read: (line: string) => LogEvent
  /** Takes the events of one chunk. */
  readonly deliver: (events: readonly LogEvent[]) => void
}

/** The output of a unit whose lines are in a form of their own: each is an event. */
export class ReadLines {
  readonly #options: Options
  readonly #decoder = new StringDecoder('utf8')
  #rest = ''

  constructor(options: Options) {
    this.#options = options
  }

  write(chunk: Buffer): void {
    const lines = (this.#rest + this.#decoder.write(chunk)).split('\n')
    this.#rest = lines.pop() ?? ''
    if (this.#rest.length > lineLimit) {
      lines.push(this.#rest)
      this.#rest = ''
    }
    this.#deliver(lines)
  }

  /** Takes what is left: nothing more comes. */
  flush(): void {
    this.#deliver([this.#rest])
    this.#rest = ''
  }

  #deliver(lines: readonly string[]): void {
    const { read, deliver } = this.#options
    const events = lines.filter((line) => line.trim() !== '').map(read)
    if (events.length > 0) deliver(events)
  }
}
