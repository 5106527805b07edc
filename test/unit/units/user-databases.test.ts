import { describe, expect, test } from 'vitest'
import type { Results } from '../../../src/units/results.ts'
import { userDatabases } from '../../../src/units/mathesar/user-databases.ts'
import { serverError } from '../fakes/postgres.ts'
import { createScope, externalDatabase, never } from '../fakes/scope.ts'

/** An image with Mathesar 0.11.0, after `served`, on whose databases another version's SQL is. */
const stage = (
  behind: number | readonly number[] | Error,
  served: string,
  lines: readonly string[] = [],
  tookMs = 0,
  config = '',
  hasPast = false,
) => {
  const at = createScope({ config })
  at.disk.put('/code/mathesar/__init__.py', '__version__ = "0.11.0"\n')
  at.disk.put('/data/manifest.json', JSON.stringify({ servedBy: { mathesar: served } }))
  const asked: unknown[] = []
  let looks = 0
  at.database.answerWith((text, values) => {
    if (!text.includes('FROM mathesar_database')) return []
    asked.push(...values)
    if (behind instanceof Error) return behind
    return [{ behind: String([behind].flat()[Math.min(looks++, [behind].flat().length - 1)]), hasPast }]
  })
  at.replies.program = async (_, signal) => {
    await at.clock.delay(tookMs, signal)
    return { outcome: { code: 0, signal: null }, lines }
  }
  return { ...at, asked }
}

describe('the task `user-databases`', () => {
  test.each([
    ['none is behind', 0],
    ['a Mathesar that we do not know has no such table', serverError('42P01')],
  ])('runs nothing where %s', async (_, behind) => {
    const { scope, programs } = stage(behind, '0.9.0')
    await userDatabases.run(scope, never)
    expect(programs).toEqual([])
  })

  test('removes a moment that was served beside until a kill, and nobody waits for it', async () => {
    const { scope, programs } = stage(0, '0.11.0', [], 0, '', true)
    await userDatabases.run(scope, never)
    expect(programs).toMatchObject([
      {
        unit: 'yesterday',
        command: {
          argv: ['/usr/bin/python3', '/etc/past.py', 'remove'],
          user: { name: 'mathesar' },
          env: { PAST_HOST: '/run/m/yesterday' },
        },
      },
    ])
  })

  test('waits after an upgrade until they are done', async () => {
    const { scope, clock, programs, reports } = stage([2, 0], '0.9.0', ['shop: 0.9.0 → 0.11.0'], 40_000)
    let isDone = false
    const run = Promise.resolve(userDatabases.run(scope, never)).then(() => (isDone = true))
    await clock.advance(39_900)
    expect(isDone).toBe(false)
    await clock.advance(200)
    await run
    expect(programs).toMatchObject([
      {
        unit: 'user-databases',
        command: {
          argv: ['/usr/bin/python3', '/etc/user_databases.py'],
          user: { name: 'mathesar' },
          env: { UPGRADE_ALL: '1', ELSEWHERE_AT_MOST_S: '15' },
        },
      },
    ])
    expect(reports).toEqual([null])
    expect(clock.armed).toBe(0)
  })

  test('goes on with those that took too long while people work, and names what could not be', async () => {
    const lines = ['WARNING database crm on db.example.org: it does not answer']
    const { scope, clock, programs, reports } = stage(2, '0.9.0', lines, 4000)
    const run = Promise.resolve(userDatabases.run(scope, never))
    await clock.advance(4001)
    const { ended } = (await run) as Results['user-databases']
    await clock.advance(4001)
    await ended
    expect(programs).toHaveLength(2)
    expect(programs[1]!.command.env).not.toHaveProperty('UPGRADE_ALL')
    expect(programs[1]!.command.env).not.toHaveProperty('ELSEWHERE_AT_MOST_S')
    expect(reports.at(-1)).toBe('not upgraded: database crm on db.example.org: it does not answer')
  })

  test('waits as well where the same version served last, and its database was another', async () => {
    const { scope, clock } = stage([2, 0], '0.11.0', [], 4000)
    let isDone = false
    const after = { ...scope, results: { ...scope.results, migrations: { brought: 'back' as const } } }
    const run = Promise.resolve(userDatabases.run(after, never)).then(() => (isDone = true))
    await clock.advance(3900)
    expect(isDone).toBe(false)
    await clock.advance(200)
    await run
  })

  test('believes what the migrations have brought along, and lets nobody wait for the rest', async () => {
    const { scope, clock, programs, asked } = stage(1, '0.9.0', [], 60_000)
    const after = { ...scope, results: { ...scope.results, migrations: { brought: 'forth' as const } } }
    await userDatabases.run(after, never)
    expect(asked).toEqual(['0.11.0', false, '/run/m/yesterday'])
    await clock.advance(1)
    expect(programs[0]!.command.env).not.toHaveProperty('UPGRADE_ALL')
    await clock.advance(60_000)
  })

  test('that a stop cuts off is no fault', async () => {
    const { scope, clock, failures } = stage(2, '0.9.0', [], 60_000)
    const stopping = new AbortController()
    const run = Promise.resolve(userDatabases.run(scope, stopping.signal))
    await clock.advance(1000)
    stopping.abort(new Error('everything stops'))
    await expect(run).rejects.toThrow('everything stops')
    await clock.advance(1)
    expect(failures).toEqual([])
  })

  test('lets nobody wait for what an earlier start could not do', async () => {
    const { scope, clock, programs } = stage(1, '0.11.0', [], 60_000)
    const { ended } = (await userDatabases.run(scope, never)) as Results['user-databases']
    let hasEnded = false
    void ended.then(() => (hasEnded = true))
    await clock.advance(1000)
    expect([programs.length, hasEnded]).toEqual([1, false])
    expect(programs[0]!.command.env).not.toHaveProperty('UPGRADE_ALL')
    await clock.advance(60_000)
    expect([clock.armed, hasEnded]).toEqual([0, true])
  })

  test('leaves them with RUN_MIGRATIONS=never to `supervisor migrate`', async () => {
    const { scope, programs } = stage(1, '0.9.0', [], 0, `${externalDatabase}RUN_MIGRATIONS=never\n`)
    await userDatabases.run(scope, never)
    expect(programs).toEqual([])
  })
})
