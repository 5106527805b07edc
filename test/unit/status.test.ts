import { describe, expect, test } from 'vitest'
import { presentable, renderStatus, type Status, type UnitStatus } from '../../src/core/status.ts'
import { renderTable } from '../../src/core/table.ts'

const now = Date.parse('2026-10-01T12:00:00.000Z')
const ago = (seconds: number): string => new Date(now - seconds * 1000).toISOString()

const unit = (fields: Partial<UnitStatus>): UnitStatus => ({
  name: 'postgres',
  kind: 'service',
  description: 'x',
  state: 'ready',
  since: ago(5),
  pid: 31,
  restarts: 0,
  generation: 1,
  memoryBytes: 52_428_800,
  lastExit: null,
  detail: null,
  tookMs: 140,
  startedAfterMs: 1,
  ...fields,
})
const task = unit({ name: 'volume', kind: 'task', state: 'done', pid: null, memoryBytes: null, tookMs: 3 })

const ready: Status = {
  version: 1,
  phase: 'running',
  ready: true,
  url: 'http://localhost:8000/',
  supervisor: { version: '0.1.0', pid: 1, startedAt: ago(5), memoryBytes: 1, reaped: 0, droppedLogLines: 0 },
  database: 'embedded',
  config: { version: '0123456789ab', changing: false, pendingRestart: [] },
  backup: { running: null, nextAt: null, last: null, proved: null },
  undo: null,
  update: null,
  boot: {
    readyAfterMs: 1900,
    criticalPath: [
      { unit: 'postgres', tookMs: 140 },
      { unit: 'mathesar', tookMs: 1700 },
    ],
  },
  units: [task, unit({})],
  problems: [],
}
const render = (fields: Partial<Status>): string => renderStatus({ ...ready, ...fields }, now)

describe('the status', () => {
  test('when all is ready is a headline, a table and the boot', () => {
    expect(render({})).toBe(
      [
        'Mathesar: ready at http://localhost:8000/',
        '',
        'UNIT      KIND     STATE  SINCE  PID  RESTARTS  MEMORY  DETAIL',
        'volume    task     done   5 s    -    -         -       took 3 ms',
        'postgres  service  ready  5 s    31   0         50 MiB  took 140 ms',
        '',
        'Boot: ready after 1900 ms; critical path in ms: postgres 140 → mathesar 1700',
        '',
      ].join('\n'),
    )
  })

  test('while booting tells no boot time', () => {
    const text = render({
      phase: 'booting',
      ready: false,
      boot: { readyAfterMs: null, criticalPath: [] },
      units: [unit({ state: 'starting', tookMs: null, detail: 'it is starting' })],
    })
    expect(text).toMatch(/^Mathesar: booting\n/)
    expect(text).toContain('it is starting')
    expect(text).not.toContain('Boot:')
  })

  test('with problems names each with what to type next', () => {
    const text = render({
      ready: false,
      problems: [
        {
          unit: 'mathesar',
          code: null,
          message: 'GET /auth/login/ answers 500',
          hint: 'Type `supervisor logs mathesar`.',
        },
        { unit: 'postgres', code: null, message: 'it is recovering', hint: null },
      ],
    })
    expect(text).toMatch(/^Mathesar: not ready\n/)
    expect(text).toContain(
      '\n\n! mathesar: GET /auth/login/ answers 500\n  Type `supervisor logs mathesar`.\n' +
        '! postgres: it is recovering\n',
    )
  })

  test('while stopping says so, ready or not', () => {
    expect(render({ phase: 'stopping' })).toMatch(/^Mathesar: stopping\n/)
  })

  test.each([
    [-3, '0 s'],
    [119, '119 s'],
    [120, '2 min'],
    [7199, '120 min'],
    [7200, '2 h'],
    [172_799, '48 h'],
    [172_800, '2 d'],
    [8_640_000, '100 d'],
  ])('shows an age of %d s as %s', (seconds, text) => {
    expect(render({ units: [unit({ since: ago(seconds) })] })).toContain(`ready  ${text} `)
  })

  test('prefers the detail of now to the last exit, and that to the time it took', () => {
    expect(render({ units: [unit({ detail: 'waits', lastExit: 'was ended by SIGTERM' })] })).toContain(
      '  waits\n',
    )
    expect(render({ units: [unit({ lastExit: 'was ended by SIGTERM' })] })).toContain(
      '  was ended by SIGTERM\n',
    )
  })

  test('has no spaces at the end of a line', () => {
    expect(render({ units: [unit({ tookMs: null })] })).not.toMatch(/ $/m)
  })
})

test('a status is short and harmless to a terminal, whatever other processes said', () => {
  const evil = `\x1b[2J\u202e${'x'.repeat(1_000_000)}\x9b31m`
  const shown = presentable({
    ...ready,
    url: 'http://a\x1b[2J/',
    units: [unit({ detail: evil }), unit({ detail: null })],
    problems: [
      { unit: 'mathesar', code: null, message: `is unready: ${evil}`, hint: evil },
      { unit: 'config', code: null, message: 'x', hint: null },
    ],
  })
  for (const text of [...Object.values(shown.problems[0]!), shown.units[0]!.detail, shown.url]) {
    expect(text ?? '').not.toMatch(/[^\P{Cc}\t\n]|[\u202a-\u202e\u2066-\u2069]/u)
    expect((text ?? '').length).toBeLessThan(17_000)
  }
  expect([shown.units[1]!.detail, shown.problems[1]!.hint]).toEqual([null, null])
  expect(presentable(ready)).toEqual(ready)
})

test('a cell of a table is one line, whatever it holds', () => {
  expect(
    renderTable([
      ['A', 'B'],
      ['x\n! postgres: is down', '\x1b[2Jy\tz'],
    ]),
  ).toBe('A                     B\nx ! postgres: is down  [2Jy z'.replace('A     ', 'A      '))
})
