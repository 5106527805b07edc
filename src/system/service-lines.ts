import type { Redactor } from '../core/redactor.ts'
import type { Printer } from './printer.ts'

/** A longer event, or a longer line without an end, is cut. */
const eventLimitBytes = 256 * 1024
const holdMs = 30
const newlineByte = 10
const newline = Buffer.from('\n')
const nothing = Buffer.alloc(0)
/** What is kept has a buffer of its own, which stays for the next time unless it is larger. */
const usualBytes = 16 * 1024

/** Calls `found` with each line in which `needle` occurs. */
export type LineWatch = { readonly needle: string; readonly found: (line: string) => void }

/**
 * Joins what is left of an output with what comes next. All services take turns with one buffer, which is
 * there from the first time on.
 */
export const createJoin = (): ((rest: Buffer, chunk: Buffer) => Buffer) => {
  let joined = nothing
  return (rest, chunk) => {
    if (joined.length === 0) joined = Buffer.allocUnsafeSlow(2 * eventLimitBytes)
    if (rest.length + chunk.length > joined.length) return Buffer.concat([rest, chunk])
    rest.copy(joined)
    chunk.copy(joined, rest.length)
    return joined.subarray(0, rest.length + chunk.length)
  }
}

type Watch = { readonly bytes: Buffer; readonly found: LineWatch['found'] }

type Options = {
  readonly unit: string
  readonly redactor: Redactor
  readonly printer: Printer
  readonly join: (rest: Buffer, chunk: Buffer) => Buffer
  readonly watches: readonly LineWatch[]
}

/** The output of one unit: keeps what is not a whole event yet, and prints the rest without secrets. */
export class ServiceLines {
  readonly #options: Options
  readonly #watches: readonly Watch[]
  #rest: Buffer = nothing
  #buffer: Buffer = nothing
  #timer: NodeJS.Timeout | undefined

  constructor(options: Options) {
    this.#options = options
    this.#watches = options.watches.map(({ needle, found }) => ({ bytes: Buffer.from(needle), found }))
  }

  /** Takes a chunk, which the caller may overwrite afterwards. */
  write(chunk: Buffer): void {
    const { redactor, join } = this.#options
    const output = redactor.redactBytes(this.#rest.length > 0 ? join(this.#rest, chunk) : chunk)
    this.#keep(output.subarray(this.#print(output, false)))
    const { longest } = redactor
    // Its end may be a part of a secret.
    if (this.#rest.length > eventLimitBytes + longest) this.#cut(this.#rest.length - longest)
    if (this.#rest.length > 0) this.#timer ??= setTimeout(() => this.#pass(), holdMs)
  }

  /** Prints what is left: nothing more comes. */
  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#rest.length > 0) this.#cut(this.#rest.length)
  }

  /** Returns where the rest begins. */
  #print(output: Buffer, isLast: boolean, end = this.#options.redactor.heldFrom(output)): number {
    const { unit, printer } = this.#options
    const done = printer.print(unit, output.subarray(0, end), isLast)
    for (const watch of this.#watches) this.#report(output, watch, done)
    return done
  }

  /** Without a new buffer for each chunk: a gigabyte without a newline leaves no garbage. */
  #keep(rest: Buffer): void {
    if (rest.length > this.#buffer.length || (rest.length === 0 && this.#buffer.length > usualBytes))
      this.#buffer = Buffer.allocUnsafeSlow(rest.length === 0 ? 0 : Math.max(usualBytes, 2 * rest.length))
    rest.copy(this.#buffer)
    this.#rest = this.#buffer.subarray(0, rest.length)
  }

  /** Reports the printed lines that are watched for. */
  #report(output: Buffer, { bytes, found }: Watch, done: number): void {
    for (let at = output.indexOf(bytes); at >= 0 && at < done; at = output.indexOf(bytes, at)) {
      const start = output.lastIndexOf(newlineByte, at) + 1
      at = output.indexOf(newlineByte, at)
      found(output.toString('utf8', start, at))
    }
  }

  /** Prints everything up to `at` as if it were whole. */
  #cut(at: number): void {
    const whole = this.#options.join(this.#rest.subarray(0, at), newline)
    this.#print(whole, true, whole.length)
    this.#keep(this.#rest.subarray(at))
  }

  /** Nothing more came for a while: the last event is complete. */
  #pass(): void {
    this.#timer = undefined
    this.#keep(this.#rest.subarray(this.#print(this.#rest, true)))
  }
}
