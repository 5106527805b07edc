import pino from 'pino'
import { type Fields, formatEvent, type Level, type LogEvent } from '../core/log-lines.ts'
import { excerpt } from '../core/message.ts'
import { Redactor } from '../core/redactor.ts'
import { Printer } from './printer.ts'
import type { Output } from './output.ts'
import { ReadLines } from './read-lines.ts'
import { createJoin, type LineWatch, ServiceLines } from './service-lines.ts'
import type { Sink } from './sink.ts'
import { Tails } from './tail.ts'

type Follower = (unit: string, text: string) => void

/** The log of everything. */
export type Log = {
  /** Logs an event of the supervisor itself. */
  readonly say: (level: Level, text: string, fields?: Fields) => void
  /** Keeps secrets out of every line from now on. */
  readonly addSecret: (...secrets: readonly (string | undefined)[]) => void
  readonly redact: (text: string) => string
  /** Takes the output of one unit: its lines get its name and their level. */
  readonly lines: (unit: string, ...watches: readonly LineWatch[]) => Output
  /**
   * The same of a unit whose lines are in a form of their own. Its writer never waits for a slow reader of
   * ours: what is too much is dropped.
   */
  readonly readLines: (unit: string, read: (line: string) => LogEvent) => Output
  /** The last `count` events of a unit, or of all units as they came. */
  readonly tail: (unit: string | undefined, count: number) => string[]
  /** Calls `follower` with all that is printed, until the function that it returns is called. */
  readonly follow: (follower: Follower) => () => void
}

/** pino decides by the level; what an event looks like is decided in `emit`. */
const createOwn = (level: Level, emit: (event: LogEvent) => void) =>
  pino(
    { level, base: null, timestamp: false, formatters: { level: (label) => ({ level: label }) } },
    {
      write: (line: string) => {
        const { level: label, msg, ...fields } = JSON.parse(line) as { level: Level; msg: string }
        emit({ level: label, text: msg, fields })
      },
    },
  )

const cleanFields = (fields: Fields, clean: (text: string) => string): Fields =>
  Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, typeof value === 'string' ? clean(value) : value]),
  )

/**
 * The log of everything: our own events from `level` on, the lines of services from `levelOfServices` on, and
 * the tail of each unit.
 */
export const createLog = (
  sink: Pick<Sink, 'write' | 'behind' | 'onDropped'>,
  format: 'text' | 'json',
  level: Level,
  levelOfServices: Level = 'debug',
): Log => {
  const redactor = new Redactor()
  const tails = new Tails(format)
  const followers = new Set<Follower>()

  const deliver = (unit: string, block: Buffer, events: number): void => {
    sink.write(block, events)
    tails.push(unit, block)
    if (followers.size === 0) return
    const text = block.toString()
    for (const follow of followers) follow(unit, text)
  }
  // Redacted before lines get their prefixes, which would hide a secret of several lines, and before text is
  // cut.
  const clean = (text: string): string => excerpt(redactor.redact(text))
  const render = (unit: string, time: string, { level: of, text, fields = {} }: LogEvent): string =>
    formatEvent(format, time, unit, { level: of, text: clean(text), fields: cleanFields(fields, clean) })
  const emit = (event: LogEvent): void =>
    deliver('supervisor', Buffer.from(render('supervisor', new Date().toISOString(), event)), 1)

  const own = createOwn(level, emit)
  const printer = new Printer(format, deliver, levelOfServices)
  const join = createJoin()
  sink.onDropped((lost) =>
    emit({ level: 'warn', text: `dropped ${lost} log events: the reader of stdout did not keep up` }),
  )

  return {
    say: (of, text, fields = {}) => own[of](fields, text),
    addSecret: (...secrets) => redactor.add(...secrets),
    redact: (text) => redactor.redact(text),
    lines: (unit, ...watches) => {
      const lines = new ServiceLines({ unit, redactor, printer, join, watches })
      return {
        write: (chunk) => {
          lines.write(chunk)
          return sink.behind
        },
        flush: () => lines.flush(),
      }
    },
    readLines: (unit, read) => {
      const lines = new ReadLines({
        read,
        deliver: (events) => {
          const time = new Date().toISOString()
          const text = events.map((event) => render(unit, time, event)).join('')
          deliver(unit, Buffer.from(text), events.length)
        },
      })
      return {
        write: (chunk) => {
          lines.write(chunk)
          return undefined
        },
        flush: () => lines.flush(),
      }
    },
    tail: (unit, count) => tails.lastEvents(unit, count),
    follow: (follower) => {
      followers.add(follower)
      return () => followers.delete(follower)
    },
  }
}
