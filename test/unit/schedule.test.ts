import { execFileSync } from 'node:child_process'
import { describe, expect, test } from 'vitest'
import { dueMsOf, isLate, type Runs, whyNotSchedule } from '../../src/settings/schedule.ts'

const at = (text: string): number => Date.parse(text)
const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

describe('a schedule', () => {
  const due = (runs: Partial<Runs>, now: string): string =>
    new Date(
      dueMsOf(
        { schedule: '30 3 * * *', sinceMs: at('2026-03-10T12:00Z'), failedMs: undefined, ...runs },
        at(now),
      ),
    ).toISOString()

  test('is five fields of cron, a name for them, or off; it must come at all', () => {
    for (const good of ['off', '30 3 * * *', '*/15 * * * 1-5', '@daily', '0 0 L * *', '0 0 29 2 *'])
      expect(whyNotSchedule(good)).toBeUndefined()
    for (const bad of ['', 'daily', '* * * * * *', '61 * * * *', '0 25 * * *', '0 0 * *', 'x'.repeat(101)])
      expect(whyNotSchedule(bad)).toMatch(/five fields of cron/)
    expect(whyNotSchedule('0 0 31 2 *')).toBe('"0 0 31 2 *" never comes')
  })

  test('comes next after the last good run', () => {
    expect(due({}, '2026-03-10T13:00Z')).toBe('2026-03-11T03:30:00.000Z')
    expect(due({ sinceMs: at('2026-03-11T03:30Z') }, '2026-03-11T03:31Z')).toBe('2026-03-12T03:30:00.000Z')
  })

  test('makes up for what was missed once, however much it was', () => {
    expect(due({}, '2026-03-20T12:00Z')).toBe('2026-03-11T03:30:00.000Z')
    expect(due({ sinceMs: at('2026-03-20T12:00Z') }, '2026-03-20T12:05Z')).toBe('2026-03-21T03:30:00.000Z')
  })

  test('tries again an hour after a failure, or at its next time where that is sooner', () => {
    const failedMs = at('2026-03-11T03:40Z')
    expect(due({ failedMs }, '2026-03-11T03:41Z')).toBe('2026-03-11T04:40:00.000Z')
    expect(due({ failedMs, schedule: '*/15 * * * *' }, '2026-03-11T03:41Z')).toBe('2026-03-11T03:45:00.000Z')
  })

  test('waits for its turn where another operation is at work', () => {
    const waitUntilMs = at('2026-03-11T03:36Z')
    expect(due({ waitUntilMs }, '2026-03-11T03:31Z')).toBe('2026-03-11T03:36:00.000Z')
  })

  test('is not put off by a clock that was set back', () => {
    const ahead = { sinceMs: at('2030-01-01T00:00Z') }
    for (const now of ['2026-03-10T13:00Z', '2026-03-11T03:29Z'])
      expect(due(ahead, now), 'at once').toBe('2026-03-10T03:30:00.000Z')
    expect(
      due({ sinceMs: at('2026-03-10T13:00:20Z') }, '2026-03-10T13:00Z'),
      'a clock that is corrected',
    ).toBe('2026-03-11T03:30:00.000Z')
    expect(due({ failedMs: at('2030-01-01T00:00Z') }, '2026-03-12T13:00Z')).toBe('2026-03-11T03:30:00.000Z')
    expect(due({ waitUntilMs: at('2030-01-01T00:00Z') }, '2026-03-12T13:00Z')).toBe(
      '2026-03-13T13:00:00.000Z',
    )
  })

  test('is late when a run could have been for two hours', () => {
    const [dueMs, readyMs] = [at('2026-03-11T03:30Z'), at('2026-03-01T00:00Z')]
    expect(isLate(dueMs, readyMs, dueMs + 2 * hour)).toBe(false)
    expect(isLate(dueMs, readyMs, dueMs + 2 * hour + minute)).toBe(true)
    expect(isLate(dueMs, dueMs + 9 * day, dueMs + 9 * day + hour)).toBe(false)
  })

  test('follows TZ through the hour that is missing and the one that is there twice', () => {
    const module = new URL('../../src/settings/schedule.ts', import.meta.url).href
    const days = ['2026-03-28T12:00Z', '2026-10-24T12:00Z', '2026-10-25T00:30Z']
    const script = `
      const [module, ...days] = process.argv.slice(1)
      const { dueMsOf } = await import(module)
      for (const sinceMs of days.map(Date.parse))
        console.log(new Date(dueMsOf({ schedule: '30 2 * * *', sinceMs }, sinceMs)).toISOString())`
    const args = ['--input-type=module', '--eval', script, '--', module, ...days]
    const env = { ...process.env, TZ: 'Europe/Berlin', NODE_OPTIONS: '' }
    const said = execFileSync(process.execPath, args, { env, encoding: 'utf8' })
    expect(said.trim().split('\n')).toEqual([
      '2026-03-29T01:00:00.000Z',
      '2026-10-25T00:30:00.000Z',
      '2026-10-26T01:30:00.000Z',
    ])
  })
})
