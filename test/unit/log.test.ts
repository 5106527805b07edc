import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createLog } from '../../src/system/log.ts'
import type { Level } from '../../src/core/log-lines.ts'
import type { LineWatch } from '../../src/system/service-lines.ts'

beforeEach(() => {
  vi.useFakeTimers({ now: new Date('2026-10-01T10:00:00.123Z') })
})
afterEach(() => {
  vi.useRealTimers()
})

const prefix = '2026-10-01T10:00:00.123Z info  mathesar   '

const withoutPrefix = (text: string): string => text.replaceAll(new RegExp(`^.{${prefix.length}}`, 'gm'), '')

type Given = {
  readonly format?: 'text' | 'json'
  readonly secrets?: readonly string[]
  readonly watches?: readonly LineWatch[]
  readonly levelOfServices?: Level
}

const open = (options: Given = {}) => {
  let text = ''
  let events = 0
  const log = createLog(
    {
      write: (block, count) => {
        text += block.toString()
        events += count
      },
      behind: undefined,
      onDropped: () => {},
    },
    options.format ?? 'text',
    'info',
    options.levelOfServices,
  )
  for (const secret of options.secrets ?? []) log.addSecret(secret)
  const lines = log.lines('mathesar', ...(options.watches ?? []))
  return {
    log,
    lines,
    say: (part: string) => void lines.write(Buffer.from(part)),
    get text() {
      return text
    },
    get events() {
      return events
    },
    get bare() {
      return withoutPrefix(text)
    },
  }
}

describe("a service's output", () => {
  test('has time, level and name before each line', () => {
    const box = open()
    box.say('one\nERROR two\n  more\n\nthree\n')
    box.lines.flush()
    const errorPrefix = prefix.replace('info ', 'error')
    const lines = [`${prefix}one`, `${errorPrefix}ERROR two`, `${errorPrefix}  more`, `${prefix}three`, '']
    expect(box.text).toBe(lines.join('\n'))
    expect(box.events).toBe(3)
  })

  test.each(['text', 'json'] as const)('is left out below a level, where asked: %s', (format) => {
    const box = open({ format, levelOfServices: 'warn' })
    box.say('one\n[7] LOG:  two\n[7] FATAL:  three\n[7] DETAIL:  four\nfive\n')
    box.lines.flush()
    expect(box.events).toBe(1)
    expect(box.text).toMatch(/FATAL: {2}three[^]+DETAIL: {2}four/)
    expect(box.text).not.toMatch(/one|two|five/)
    expect(box.log.tail('mathesar', 10)).toHaveLength(1)
  })

  test('is JSON, one object an event, where asked', () => {
    const box = open({ format: 'json' })
    box.say('one\n[7] ERROR:  "two"\n[7] DETAIL:  é\n')
    box.lines.flush()
    expect(
      box.text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([
      { time: '2026-10-01T10:00:00.123Z', level: 'info', unit: 'mathesar', msg: 'one' },
      {
        time: '2026-10-01T10:00:00.123Z',
        level: 'error',
        unit: 'mathesar',
        msg: '[7] ERROR:  "two"\n[7] DETAIL:  é',
      },
    ])
  })

  test('goes out when nothing follows; a line without an end waits for it or the end of the service', () => {
    const box = open()
    box.say('one\ntw')
    expect(box.text).toBe('')
    vi.advanceTimersByTime(30)
    expect(box.bare).toBe('one\n')
    box.say('o\n')
    vi.advanceTimersByTime(30)
    expect(box.bare).toBe('one\ntwo\n')
    box.say('three')
    vi.advanceTimersByTime(1000)
    expect(box.bare).toBe('one\ntwo\n')
    box.lines.flush()
    expect(box.bare).toBe('one\ntwo\nthree\n')
  })

  test('is whole, however long its lines and events are', () => {
    const box = open()
    const event = `Traceback (most recent call last):\n${'  x\n'.repeat(20_000)}`
    const line = 'y'.repeat(150_000)
    const flood = Array.from({ length: 5000 }, (_, i) => `line ${i}\n`).join('')
    for (const text of [event, `${line}\n`, flood])
      for (let at = 0; at < text.length; at += 65_536) box.say(text.slice(at, at + 65_536))
    box.lines.flush()
    expect(box.bare === `${event}${line}\n${flood}`).toBe(true)
  })

  test('does not pile up when a line never ends', () => {
    const box = open()
    for (let i = 0; i < 100; i++) box.say('z'.repeat(65_536))
    expect(box.text.length).toBeGreaterThan(6_000_000)
    box.lines.flush()
    expect(box.text.length - box.text.replaceAll('z', '').length).toBe(6_553_600)
  })

  test('shows no secret, however it is cut', () => {
    const secrets = ['hunter2hunter2', '{\n"key": 1\n}']
    const part = fc.constantFrom(...secrets, 'x', '\n', '{\n', 'hunter2')
    fc.assert(
      fc.property(fc.array(part), fc.array(fc.nat(40)), (parts, cuts) => {
        const text = parts.join('')
        const box = open({ secrets })
        let at = 0
        for (const cut of cuts) {
          box.say(text.slice(at, at + cut))
          at = Math.min(at + cut, text.length)
          if (cut % 3 === 0) vi.advanceTimersByTime(30)
        }
        box.say(text.slice(at))
        box.lines.flush()
        for (const secret of secrets) expect(box.bare).not.toContain(secret)
        const visible = (all: string): string => all.replaceAll('[redacted]', '').replaceAll(/\s/g, '')
        expect(visible(box.bare)).toBe(
          visible(
            secrets
              .toSorted((a, b) => b.length - a.length)
              .reduce((clean, secret) => clean.replaceAll(secret, ''), text),
          ),
        )
      }),
    )
  })
})

describe('the log', () => {
  test('keeps the last events of each unit, and of all as they came, though a clock is set back', () => {
    const box = open()
    box.say('one\nERROR two\n  more\n') // At the same time: they keep their order.
    box.lines.flush()
    vi.advanceTimersByTime(1)
    box.log.say('info', 'ours')
    vi.setSystemTime(new Date('2026-09-30T10:00:00.123Z'))
    box.say('three\n')
    box.lines.flush()
    const words = (events: readonly string[]): string[] => events.map(withoutPrefix)
    expect(words(box.log.tail('mathesar', 2))).toEqual(['ERROR two\n  more\n', 'three\n'])
    expect(words(box.log.tail(undefined, 3))).toEqual(['ERROR two\n  more\n', 'ours\n', 'three\n'])
    expect(box.log.tail('nobody', 3)).toEqual([])
  })

  test.each([100, 1000, 4000])('keeps all of %i lines', (count) => {
    const box = open()
    const numbers = Array.from({ length: count }, (_, index) => index)
    for (const number of numbers) box.say(`line ${number}\n`)
    box.lines.flush()
    expect(box.log.tail('mathesar', 1e6)).toEqual(numbers.map((number) => `${prefix}line ${number}\n`))
  })

  test('keeps at most 256 KiB, and whole lines', () => {
    const box = open()
    for (let i = 0; i < 20_000; i++) box.say(`line ${i}\n`)
    box.lines.flush()
    const tail = box.log.tail('mathesar', 1e6)
    expect(tail.join('').length).toBeLessThanOrEqual(256 * 1024)
    expect(tail.join('').length).toBeGreaterThan(255 * 1024)
    expect(tail.at(-1)).toBe(`${prefix}line 19999\n`)
    expect(tail.filter((line) => !line.startsWith(prefix))).toEqual([])
  })

  test('calls its followers, until they leave', () => {
    const box = open()
    const heard: string[] = []
    const leave = box.log.follow((unit, text) => heard.push(`${unit}: ${text}`))
    box.say('one\n')
    box.lines.flush()
    leave()
    box.say('two\n')
    box.lines.flush()
    expect(heard).toEqual([`mathesar: ${prefix}one\n`])
  })

  test('reports the lines that are watched for, once each, without secrets', () => {
    const found: string[] = []
    const others: string[] = []
    const box = open({
      secrets: ['hunter2hunter2'],
      watches: [
        { needle: 'Invalid HTTP_HOST header', found: (line) => found.push(line) },
        { needle: 'y', found: (line) => others.push(line) },
      ],
    })
    for (const part of [
      'x\nERROR Invalid HTTP_HO',
      "ST header: 'a' hunter2hunter2\n",
      "ERROR Invalid HTTP_HOST header: 'b'\ny\n",
    ])
      box.say(part)
    box.lines.flush()
    expect(found).toEqual([
      "ERROR Invalid HTTP_HOST header: 'a' [redacted]",
      "ERROR Invalid HTTP_HOST header: 'b'",
    ])
    expect(others).toEqual(['y'])
  })

  test('redacts its own lines, in their fields too', () => {
    const box = open({ format: 'json', secrets: ['hunter2hunter2'] })
    box.log.say('error', 'is hunter2hunter2', { hint: 'not hunter2hunter2' })
    expect(JSON.parse(box.text)).toMatchObject({
      level: 'error',
      unit: 'supervisor',
      msg: 'is [redacted]',
      hint: 'not [redacted]',
    })
  })
})

describe("the supervisor's own lines", () => {
  test.each(['text', 'json'] as const)(
    'hold nothing that acts on a terminal, as %s; those of services keep their colors',
    (format) => {
      const box = open({ format })
      box.log.say('warn', 'cannot start: \x1b]0;owned\x07it says \x9b31m\u202eno\r\nand\tmore', {
        hint: 'type \u2066this',
      })
      const own = box.text
      expect(own).not.toMatch(/[[\p{Cc}\u202a-\u202e\u2066-\u2069]--[\t\n]]/v)
      expect(own).toContain('cannot start: ]0;ownedit says 31mno')
      if (format === 'json')
        expect(JSON.parse(own)).toMatchObject({
          msg: expect.stringMatching(/no\nand\tmore$/),
          hint: 'type this',
        })
      box.say('\x1b[31mred\x1b[0m\n')
      box.lines.flush()
      expect(
        format === 'json' ? (JSON.parse(box.text.slice(own.length)) as { msg: string }).msg : box.bare,
      ).toContain('\x1b[31mred\x1b[0m')
    },
  )

  test('are short, and no half of a secret is left where they are cut', () => {
    const secret = 'hunter2'.repeat(20)
    for (let before = 8000; before < 8300; before += 10) {
      const box = open({ secrets: [secret] })
      const after = before === 8000 ? 1_000_000 : 20_000
      box.log.say('error', `${'x'.repeat(before)}${secret}${'y'.repeat(after)}why`)
      expect(box.text.length).toBeLessThan(17_000)
      expect(box.text).not.toContain('hunter')
      expect(box.text).toMatch(/why\n$/)
    }
  })
})
