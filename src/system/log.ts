import { writeSync } from 'node:fs'
import pino from 'pino'
import { createLineAssembler, createRedactor, formatEvent, type Level, type LogEvent } from '../core/log-lines.ts'

const bufferLimitBytes = 4 * 1024 * 1024
const tailLimitBytes = 256 * 1024
const holdMs = 30

type Kernel = { readonly setNonBlocking: (fd: number, on: boolean) => void }

/**
 * Writes to a descriptor without ever waiting for its reader. What the reader does not take is kept up to `bufferLimitBytes`, then
 * whole events are dropped and counted.
 */
export const createSink = (kernel: Kernel, fd = 1) => {
  let queue: Buffer[] = []
  let queuedBytes = 0
  let dropped = 0
  let reported = 0
  let timer: NodeJS.Timeout | undefined
  let broken = false
  kernel.setNonBlocking(fd, true)

  const drain = (): void => {
    timer = undefined
    while (queue.length > 0 && !broken) {
      const block = queue.length === 1 ? queue[0]! : Buffer.concat(queue)
      try {
        const written = writeSync(fd, block)
        queuedBytes -= written
        queue = written === block.length ? [] : [block.subarray(written)]
      } catch (error) {
        queue = [block]
        const { code } = error as NodeJS.ErrnoException
        if (code === 'EAGAIN') timer = setTimeout(drain, 5)
        else broken = code !== 'EINTR' // Nobody will ever read again (EPIPE): go on without a log.
        if (code !== 'EINTR') return
      }
    }
    if (dropped > reported && !broken) {
      const lost = dropped - reported
      reported = dropped
      push(Buffer.from(formatEvent('text', new Date(), 'supervisor', { level: 'warn', text: `dropped ${lost} log events: the reader of stdout did not keep up` })))
    }
  }

  const push = (block: Buffer): void => {
    queue.push(block)
    queuedBytes += block.length
    if (timer === undefined) drain()
  }

  return {
    write: (text: string): void => {
      if (broken || queuedBytes > bufferLimitBytes) {
        dropped++
        return
      }
      push(Buffer.from(text))
    },
    get dropped() { return dropped },
    /** Waits until all is written, at most `limitMs`. */
    flush: async (limitMs: number): Promise<void> => {
      const end = Date.now() + limitMs
      while (queue.length > 0 && !broken && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 5))
      kernel.setNonBlocking(fd, false)
    },
  }
}

/** The log of everything: our own events by pino, each service's lines with its name and level, and the tail of each for `supervisor logs`. */
export const createLog = (sink: { readonly write: (text: string) => void }, format: 'text' | 'json', level: Level) => {
  const redactor = createRedactor()
  const tails = new Map<string, string[]>()
  const sizes = new Map<string, number>()
  const followers = new Set<(unit: string, text: string) => void>()

  const emit = (unit: string, event: LogEvent, fields?: Readonly<Record<string, unknown>>): void => {
    // Before the lines get their prefixes, which would hide a secret of several lines; and after, for the fields.
    const text = redactor.redact(formatEvent(format, new Date(), unit, { ...event, text: redactor.redact(event.text) }, fields))
    sink.write(text)
    const tail = tails.get(unit) ?? tails.set(unit, []).get(unit)!
    let size = (sizes.get(unit) ?? 0) + text.length
    tail.push(text)
    while (size > tailLimitBytes && tail.length > 1) size -= tail.shift()!.length
    sizes.set(unit, size)
    for (const follow of followers) follow(unit, text)
  }

  const own = pino({ level, base: null, timestamp: false, formatters: { level: (label) => ({ level: label }) } }, {
    write: (line: string) => {
      const { level: label, msg, ...fields } = JSON.parse(line) as { level: string; msg: string }
      emit('supervisor', { level: label === 'fatal' ? 'error' : (label as Level), text: msg }, fields)
    },
  })

  return {
    own,
    addSecret: redactor.add,
    redact: redactor.redact,
    /** Takes the raw lines of one service. */
    lines: (unit: string): ((line: string) => void) & { readonly flush: () => void } => {
      const assembler = createLineAssembler()
      let timer: NodeJS.Timeout | undefined
      const flush = (): void => {
        clearTimeout(timer)
        timer = undefined
        for (const event of assembler.flush()) emit(unit, event)
      }
      return Object.assign((line: string): void => {
        for (const event of assembler.feed(line)) emit(unit, event)
        timer ??= setTimeout(flush, holdMs)
      }, { flush })
    },
    /** The last `count` events of a unit, or of all in the order of their time. */
    tail: (unit: string | undefined, count: number): string[] =>
      (unit === undefined ? [...tails.values()].flat().sort() : (tails.get(unit) ?? [])).slice(-count),
    follow: (listener: (unit: string, text: string) => void): (() => void) => {
      followers.add(listener)
      return () => followers.delete(listener)
    },
  }
}

export type Log = ReturnType<typeof createLog>
