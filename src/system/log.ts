import pino from 'pino'
import { excerpt } from '../core/message.ts'
import {
  createRedactor,
  findEvents,
  formatEvent,
  type Level,
  type LogEvent,
  prefixOf,
  regroupEvents,
} from '../core/log-lines.ts'
import type { Output } from './process.ts'
import type { createSink } from './sink.ts'

const tailLimitBytes = 256 * 1024
const blockBytes = 128 * 1024
/** An event, or a line without an end, that is longer is cut. */
const eventLimitBytes = 256 * 1024
const holdMs = 30
const timeLength = new Date(0).toISOString().length

type Sink = Pick<ReturnType<typeof createSink>, 'write' | 'behind' | 'onDropped'>

/** Calls `found` with each line in which `needle` occurs. */
export type Watch = { readonly needle: string; readonly found: (line: string) => void }

/** The last bytes of what was pushed, in a ring. */
const createTail = () => {
  const ring = Buffer.allocUnsafeSlow(tailLimitBytes)
  let end = 0
  return {
    push: (block: Buffer): void => {
      const kept = block.length > tailLimitBytes ? block.subarray(-tailLimitBytes) : block
      const at = end % tailLimitBytes
      const fitting = kept.copy(ring, at)
      kept.copy(ring, 0, fitting)
      end += kept.length
    },
    lines: (): string[] => {
      const at = end % tailLimitBytes
      const whole =
        end <= tailLimitBytes
          ? ring.subarray(0, end)
          : Buffer.concat([ring.subarray(at), ring.subarray(0, at)])
      const text = whole.toString('utf8', end <= tailLimitBytes ? 0 : whole.indexOf('\n') + 1)
      return text.match(/.*\n/g) ?? []
    },
  }
}

/** The log of everything: our own events by pino, each service's lines with its name and level, and the tail of each for `supervisor logs`. */
export const createLog = (sink: Sink, format: 'text' | 'json', level: Level) => {
  const redactor = createRedactor()
  const tails = new Map<string, ReturnType<typeof createTail>>()
  const followers = new Set<(unit: string, text: string) => void>()
  const tailOf = (unit: string) => tails.get(unit) ?? tails.set(unit, createTail()).get(unit)!

  const deliver = (unit: string, block: Buffer, events: number): void => {
    sink.write(block, events)
    tailOf(unit).push(block)
    if (followers.size === 0) return
    const text = block.toString()
    for (const follow of followers) follow(unit, text)
  }

  const emit = (unit: string, event: LogEvent, fields?: Readonly<Record<string, unknown>>): void => {
    // Redacted before the lines get their prefixes, which would hide a secret of several lines, and before a part of one is left out.
    const clean = (text: string): string => excerpt(redactor.redact(text))
    const cleanFields = Object.fromEntries(
      Object.entries(fields ?? {}).map(([name, value]) => [
        name,
        typeof value === 'string' ? clean(value) : value,
      ]),
    )
    const text = formatEvent(
      format,
      new Date().toISOString(),
      unit,
      { ...event, text: clean(event.text) },
      cleanFields,
    )
    deliver(unit, Buffer.from(text), 1)
  }

  const own = pino(
    { level, base: null, timestamp: false, formatters: { level: (label) => ({ level: label }) } },
    {
      write: (line: string) => {
        const { level: label, msg, ...fields } = JSON.parse(line) as { level: Level; msg: string }
        emit('supervisor', { level: label, text: msg }, fields)
      },
    },
  )
  /** An event of the supervisor itself. */
  const say = (of: Level, text: string, fields: Readonly<Record<string, unknown>> = {}): void =>
    own[of](fields, text)

  sink.onDropped((lost) =>
    emit('supervisor', {
      level: 'warn',
      text: `dropped ${lost} log events: the reader of stdout did not keep up`,
    }),
  )

  // Lines of services stay bytes from pipe to pipe: strings would cost four times as much. All services use these two in turn.
  const block = Buffer.allocUnsafeSlow(blockBytes)
  const joined = Buffer.allocUnsafeSlow(2 * eventLimitBytes)
  const join = (rest: Buffer, chunk: Buffer): Buffer => {
    if (rest.length + chunk.length > joined.length) return Buffer.concat([rest, chunk])
    rest.copy(joined)
    chunk.copy(joined, rest.length)
    return joined.subarray(0, rest.length + chunk.length)
  }

  /** Puts each event of a service behind its prefix and delivers them by the block; returns where in `output` the rest begins. */
  const print = (unit: string, output: Buffer, isLast: boolean): number => {
    const time = new Date().toISOString()
    const prefixes: Partial<Record<Level, Buffer>> = {}
    let used = 0
    let events = 0
    const send = (): void => {
      if (events > 0) deliver(unit, block.subarray(0, used), events)
      used = events = 0
    }
    const rest = findEvents(output, isLast, (start, end, eventLevel, lines) => {
      const prefix = (prefixes[eventLevel] ??= Buffer.from(prefixOf(time, eventLevel, unit)))
      const needed = end - start + 1 + lines * prefix.length
      if (format === 'json' || needed > blockBytes) {
        const event = Buffer.from(
          formatEvent(format, time, unit, { level: eventLevel, text: output.toString('utf8', start, end) }),
        )
        if (used + event.length > blockBytes) send()
        if (event.length > blockBytes) return deliver(unit, event, 1)
        used += event.copy(block, used)
        events++
        return
      }
      if (used + needed > blockBytes) send()
      for (let from = start; from < end;) {
        const newline = lines === 1 ? -1 : output.indexOf(10, from)
        const to = newline < 0 || newline > end ? end : newline
        block.set(prefix, used)
        used += prefix.length
        output.copy(block, used, from, to)
        used += to - from
        block[used++] = 10
        from = to + 1
      }
      events++
    })
    send()
    return rest
  }

  return {
    say,
    addSecret: redactor.add,
    redact: redactor.redact,
    /** Takes the output of one unit. */
    lines: (unit: string, watch?: Watch): Output => {
      const needle = watch && Buffer.from(watch.needle)
      let rest: Buffer = Buffer.alloc(0)
      let timer: NodeJS.Timeout | undefined

      const take = (output: Buffer, isLast: boolean, end = redactor.heldFrom(output)): void => {
        const done = print(unit, output.subarray(0, end), isLast)
        for (
          let at = needle ? output.indexOf(needle) : -1;
          at >= 0 && at < done;
          at = output.indexOf(needle!, at)
        ) {
          const start = output.lastIndexOf(10, at) + 1
          at = output.indexOf(10, at)
          watch!.found(output.toString('utf8', start, at))
        }
        rest = Buffer.from(output.subarray(done))
      }
      const cut = (at: number): void => {
        const after = rest.subarray(at)
        const whole = Buffer.concat([rest.subarray(0, at), Buffer.from('\n')])
        take(whole, true, whole.length)
        rest = after
      }
      /** Nothing more came for a while: the last event is complete. */
      const pass = (): void => {
        timer = undefined
        take(rest, true)
      }

      return {
        write: (chunk) => {
          take(redactor.redactBytes(rest.length > 0 ? join(rest, chunk) : chunk), false)
          if (rest.length > eventLimitBytes + redactor.longest) cut(rest.length - redactor.longest) // Its end may be a part of a secret.
          if (rest.length > 0) timer ??= setTimeout(pass, holdMs)
          return sink.behind
        },
        flush: () => {
          clearTimeout(timer)
          timer = undefined
          if (rest.length > 0) cut(rest.length)
        },
      }
    },
    /** The last `count` events of a unit, or of all in the order of their time. */
    tail: (unit: string | undefined, count: number): string[] => {
      const units = unit === undefined ? [...tails.keys()] : [unit]
      const events = units.flatMap((name) => {
        const lines = tails.get(name)?.lines() ?? []
        return format === 'json'
          ? lines
          : regroupEvents(lines, prefixOf(new Date(0).toISOString(), 'info', name).length)
      })
      const timeOf = (event: string): string =>
        event.slice(0, format === 'json' ? '{"time":"'.length + timeLength : timeLength)
      if (unit === undefined)
        events.sort((a, b) => (timeOf(a) < timeOf(b) ? -1 : Number(timeOf(a) > timeOf(b))))
      return events.slice(-count)
    },
    follow: (listener: (unit: string, text: string) => void): (() => void) => {
      followers.add(listener)
      return () => followers.delete(listener)
    },
  }
}

export type Log = ReturnType<typeof createLog>
