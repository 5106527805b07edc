import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  createRedactor,
  findEvents,
  formatEvent,
  type LogEvent,
  prefixOf,
  regroupEvents,
} from '../../src/core/log-lines.ts'

const find = (text: string, isLast: boolean): { events: LogEvent[]; rest: string } => {
  const block = Buffer.from(text)
  const events: LogEvent[] = []
  const done = findEvents(block, isLast, (start, end, level, lines) => {
    const found = block.toString('utf8', start, end)
    expect(lines).toBe(found.split('\n').length)
    events.push({ level, text: found })
  })
  return { events, rest: block.toString('utf8', done) }
}
const eventsOf = (text: string): LogEvent[] => find(`${text}\n`, true).events

describe('the level of a line', () => {
  test.each([
    ['INFO Starting gunicorn 23.0.0', 'info'],
    ['WARNING x', 'warn'],
    ['CRITICAL WORKER TIMEOUT (pid:9)', 'error'],
    ['[2026-10-01 10:00:00 +0000] [7] [INFO] Booting worker with pid: 9', 'info'],
    ['[2026-10-01 10:00:00 +0000] [7] [ERROR] x', 'error'],
    ['[2026-10-01 10:00:00 +0000] [7] [CRITICAL] WORKER TIMEOUT (pid:9)', 'error'],
    ['[2026-10-01 10:00:00 +0000] [7] [DEBUG] GET /auth/login/', 'debug'],
    ['[2026-10-01 10:00:00 +0000] [7] [WARNING] Worker with pid 9 was terminated due to signal 9', 'warn'],
    ['ERROR django.request: Internal Server Error: /boom/', 'error'],
    ['WARNING django.request: Not Found: /x', 'warn'],
    ['[12] LOG:  database system is ready to accept connections', 'info'],
    ['[12] FATAL:  password authentication failed for user "postgres"', 'error'],
    ['[12] PANIC:  could not write', 'error'],
    ['[12] WARNING:  there is no transaction in progress', 'warn'],
    ['[12] ERROR:  relation "x" does not exist', 'error'],
    ['[12] DEBUG1:  x', 'debug'],
    ['[12] NOTICE:  x', 'info'],
    ['Traceback (most recent call last):', 'error'],
    ['plain words', 'info'],
    ['GET /x 200', 'info'],
    ['ERRORS were found', 'info'],
    ['', undefined],
  ])('%j is %s', (line, level) => {
    expect(eventsOf(line).map((event) => event.level)).toEqual(level === undefined ? [] : [level])
  })
})

describe('lines that belong together', () => {
  test('are one event with DETAIL, HINT and STATEMENT of Postgres', () => {
    expect(
      eventsOf(
        '[12] ERROR:  duplicate key\n[12] DETAIL:  Key (id)=(1) already exists.\n[12] STATEMENT:  INSERT INTO t\n\tVALUES (1)\n[12] LOG:  next',
      ),
    ).toEqual([
      {
        level: 'error',
        text: '[12] ERROR:  duplicate key\n[12] DETAIL:  Key (id)=(1) already exists.\n[12] STATEMENT:  INSERT INTO t\n\tVALUES (1)',
      },
      { level: 'info', text: '[12] LOG:  next' },
    ])
  })

  const traceback = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\nValueError: x'
  const chained = `${traceback}\n\nDuring handling of the above exception, another exception occurred:\n\n${traceback}\n\nThe above exception was the direct cause of the following exception:\n\n${traceback}`

  test('are one event with a traceback; the line after it is another', () => {
    expect(eventsOf(`ERROR django.request: Internal Server Error: /boom/\n${traceback}\nINFO next`)).toEqual([
      { level: 'error', text: `ERROR django.request: Internal Server Error: /boom/\n${traceback}` },
      { level: 'info', text: 'INFO next' },
    ])
  })

  test('are one event with a chain of tracebacks; the line after it is another', () => {
    expect(eventsOf(`ERROR django.request: Internal Server Error: /boom/\n${chained}\nINFO next`)).toEqual([
      { level: 'error', text: `ERROR django.request: Internal Server Error: /boom/\n${chained}` },
      { level: 'info', text: 'INFO next' },
    ])
  })

  test('are one event for a traceback without a line before it', () => {
    expect(eventsOf(`${chained}\nINFO next`)).toEqual([
      { level: 'error', text: chained },
      { level: 'info', text: 'INFO next' },
    ])
  })

  test('never hide a traceback at the level of an ordinary line before it', () => {
    expect(eventsOf(`INFO Booting worker with pid: 9\n${traceback}`).at(-1)?.level).toBe('error')
  })

  test('wait for a further line, and a line for its end', () => {
    expect(find('INFO a\n', false)).toEqual({ events: [], rest: 'INFO a\n' })
    expect(find('INFO a\nINFO b', false)).toEqual({ events: [], rest: 'INFO a\nINFO b' })
    expect(find('INFO a\nINFO b\n', false)).toEqual({
      events: [{ level: 'info', text: 'INFO a' }],
      rest: 'INFO b\n',
    })
    expect(find('INFO a\nINFO b\nIN', true)).toEqual({
      events: [
        { level: 'info', text: 'INFO a' },
        { level: 'info', text: 'INFO b' },
      ],
      rest: 'IN',
    })
    expect(find('', true)).toEqual({ events: [], rest: '' })
  })

  test('are found again in what was printed', () => {
    const text = `INFO a\n${chained}\nINFO b\n[12] ERROR:  duplicate key\n[12] DETAIL:  Key (id)=(1)`
    const printed = eventsOf(text).map((event) => formatEvent('text', 'T', 'x', event))
    expect(regroupEvents(printed.join('').match(/.*\n/g)!, prefixOf('T', 'info', 'x').length)).toEqual(
      printed,
    )
  })

  test('are never lost, whatever they are', () => {
    const line = fc.oneof(
      fc.string().map((text) => text.replace(/[\r\n]/g, '')),
      fc.constantFrom(
        '',
        '  indented',
        'INFO x',
        'Traceback (most recent call last):',
        '[1] DETAIL:  y',
        'ValueError: z',
      ),
    )
    const visible = (text: string): string[] =>
      text
        .split('\n')
        .map((each) => each.trimEnd())
        .filter((each) => each !== '')
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        expect(eventsOf(lines.join('\n')).flatMap(({ text }) => visible(text))).toEqual(
          visible(lines.join('\n')),
        )
      }),
    )
  })

  test('are the same however the output is cut', () => {
    const line = fc.constantFrom(
      '',
      '  indented',
      'INFO x',
      'plain',
      'Traceback (most recent call last):',
      '[1] DETAIL:  y',
      'ValueError: z',
    )
    fc.assert(
      fc.property(fc.array(line), fc.nat(), (lines, cut) => {
        const text = `${lines.join('\n')}\n`
        const at = cut % text.length
        const first = find(text.slice(0, at), false)
        expect([...first.events, ...find(first.rest + text.slice(at), true).events]).toEqual(
          eventsOf(lines.join('\n')),
        )
      }),
    )
  })
})

describe('an event', () => {
  const time = '2026-10-01T10:00:00.123Z'

  test('is text with the same prefix on each line', () => {
    expect(formatEvent('text', time, 'mathesar', { level: 'warn', text: 'a\n  b' })).toBe(
      '2026-10-01T10:00:00.123Z warn  mathesar   a\n2026-10-01T10:00:00.123Z warn  mathesar     b\n',
    )
  })

  test('is one line of JSON with its fields', () => {
    const line = formatEvent('json', time, 'postgres', { level: 'error', text: 'a\n"b"' }, { pid: 7 })
    expect(line).toBe(
      '{"time":"2026-10-01T10:00:00.123Z","level":"error","unit":"postgres","msg":"a\\n\\"b\\"","pid":7}\n',
    )
    expect(JSON.parse(line)).toEqual({ time, level: 'error', unit: 'postgres', msg: 'a\n"b"', pid: 7 })
  })
})

describe('a secret', () => {
  const redactorOf = (...secrets: (string | undefined)[]) => {
    const redactor = createRedactor()
    for (const secret of secrets) redactor.add(secret)
    return redactor
  }

  test('is redacted everywhere', () => {
    expect(redactorOf('hunter2').redact('a hunter2 b hunter2')).toBe('a [redacted] b [redacted]')
  })

  test('is redacted as JSON and in a URL', () => {
    const { redact } = redactorOf('p"w\\d/@é')
    expect(redact(`msg ${JSON.stringify({ password: 'p"w\\d/@é' })}`)).toBe('msg {"password":"[redacted]"}')
    expect(redact(`postgres://u:${encodeURIComponent('p"w\\d/@é')}@db/m`)).toBe(
      'postgres://u:[redacted]@db/m',
    )
  })

  test('of several lines is redacted in JSON', () => {
    expect(
      redactorOf('{\n"key": 1\n}').redact(
        formatEvent('json', '', 'x', { level: 'info', text: 'is {\n"key": 1\n}' }),
      ),
    ).toContain('"msg":"is [redacted]"')
  })

  test('is redacted in bytes as in text', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('hunter2', 'hunter2-and-more', 'é', 'hunter', '\n', ' x ')),
        (parts) => {
          const { redact, redactBytes } = redactorOf('hunter2', 'hunter2-and-more')
          expect(redactBytes(Buffer.from(parts.join(''))).toString()).toBe(redact(parts.join('')))
        },
      ),
    )
  })

  test('of several lines holds back what may be its beginning', () => {
    const { heldFrom } = redactorOf('{\n"key": 1\n}', 'a single line')
    const heldOf = (text: string): string => text.slice(heldFrom(Buffer.from(text)))
    expect(heldOf('x {\n"key": 1\n')).toBe('{\n"key": 1\n')
    expect(heldOf('{\n{\n"ke')).toBe('{\n"ke')
    expect(heldOf('{\n"key": 2')).toBe('')
    expect(heldOf('a single li')).toBe('')
  })

  test('with signs of patterns is taken literally', () => {
    expect(redactorOf('a.*b$&c').redact('axxb a.*b$&c')).toBe('axxb [redacted]')
  })

  test('too short to be told from ordinary text is left alone', () => {
    expect(redactorOf('abc', '', undefined).redact('abc')).toBe('abc')
  })

  test('that has half of a character is redacted', () => {
    expect(redactorOf('\ud800hunter2').redact('a \ud800hunter2')).toBe('a [redacted]')
  })

  test('stays redacted while it is told of again, however many others come and go', () => {
    const redactor = createRedactor()
    const before = process.threadCpuUsage()
    for (let round = 0; round < 100; round++)
      redactor.add(...Array.from({ length: 100 }, (_, index) => `other-${round}-${index}`), 'hunter2')
    const { user, system } = process.threadCpuUsage(before)
    expect(redactor.redact('hunter2 other-99-99 other-0-0')).toBe('[redacted] [redacted] other-0-0')
    expect((user + system) / 1000).toBeLessThan(2000)
    for (let round = 0; round < 50; round++) redactor.add(`${round}${'x'.repeat(100_000)}`)
    expect(redactor.redact('hunter2 other-99-99')).toBe('hunter2 other-99-99')
  })

  test('that begins with another is redacted whole', () => {
    expect(redactorOf('hunter2', 'hunter2-and-more').redact('hunter2-and-more')).toBe('[redacted]')
  })

  test('is never in what comes out, in any form', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 6, maxLength: 40 }), (secret) => {
        const { redact } = redactorOf(secret)
        for (const form of [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)])
          expect(redact(form)).toBe('[redacted]')
      }),
    )
  })
})
