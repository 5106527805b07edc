import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EventFinder, formatEvent, type LogEvent, prefixOf, regroupEvents } from '../../src/core/log-lines.ts'

const finder = new EventFinder()
const find = (text: string, isLast: boolean): { events: LogEvent[]; rest: string } => {
  const block = Buffer.from(text)
  const events: LogEvent[] = []
  const done = finder.find(block, isLast, (start, end, level, lines) => {
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
    const error = [
      '[12] ERROR:  duplicate key',
      '[12] DETAIL:  Key (id)=(1) already exists.',
      '[12] STATEMENT:  INSERT INTO t',
      '\tVALUES (1)',
    ].join('\n')
    expect(eventsOf(`${error}\n[12] LOG:  next`)).toEqual([
      { level: 'error', text: error },
      { level: 'info', text: '[12] LOG:  next' },
    ])
  })

  const traceback = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\nValueError: x'
  const chained = [
    traceback,
    'During handling of the above exception, another exception occurred:',
    traceback,
    'The above exception was the direct cause of the following exception:',
    traceback,
  ].join('\n\n')

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
    const line = formatEvent('json', time, 'postgres', { level: 'error', text: 'a\n"b"', fields: { pid: 7 } })
    expect(line).toBe(
      '{"time":"2026-10-01T10:00:00.123Z","level":"error","unit":"postgres","msg":"a\\n\\"b\\"","pid":7}\n',
    )
    expect(JSON.parse(line)).toEqual({ time, level: 'error', unit: 'postgres', msg: 'a\n"b"', pid: 7 })
  })
})
