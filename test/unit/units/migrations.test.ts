import { describe, expect, test } from 'vitest'
import { compareMigrations } from '../../../src/units/mathesar/applied.ts'
import { migrations } from '../../../src/units/mathesar/migrations.ts'
import { failureOf } from '../failure.ts'
import { serverError } from '../fakes/postgres.ts'
import { createScope, externalDatabase, never } from '../fakes/scope.ts'

const image = ['auth.0001_initial', 'mathesar.0001_initial', 'mathesar.0002_more']

/**
 * A database that has these migrations, and a Django that adds what is missing. As in Postgres, the lock goes
 * with its transaction, and a query that fails ends that.
 */
const stage = (applied: string[] | undefined, options: Parameters<typeof createScope>[0] = {}) => {
  const at = createScope(options)
  const held = { applied, isForeign: false, isOurs: false, locks: 0 }
  at.disk.put('/share/migrations.json', JSON.stringify(image))
  at.database.answerWith((text) => {
    if (text === 'ROLLBACK') held.isOurs = false
    if (text.includes('pg_try_advisory_xact_lock')) {
      held.locks++
      held.isOurs = !held.isForeign
      return [{ locked: held.isOurs }]
    }
    if (text.includes('to_regclass')) return [{ isThere: held.applied !== undefined }]
    if (!text.includes('FROM django_migrations')) return []
    if (held.applied) return held.applied.map((migration) => ({ migration }))
    held.isOurs = false
    return serverError('42P01')
  })
  at.replies.program = async () => {
    expect(held.isOurs, 'it migrates with the lock').toBe(true)
    held.applied = [...image]
    return { outcome: { code: 0, signal: null }, lines: [] }
  }
  return { ...at, held }
}

describe('the task `migrations`', () => {
  test('runs nothing and takes no lock where the database is up to date', async () => {
    const { scope, programs, held } = stage(image)
    await migrations.run(scope, never)
    expect([programs, held.locks]).toEqual([[], 0])
  })

  test.each([
    ['of a new installation', undefined],
    ['of an older Mathesar', ['auth.0001_initial', 'mathesar.0001_initial']],
  ])('migrates the database %s as the user of Mathesar, once it has the lock', async (_, applied) => {
    const { scope, programs, held, said } = stage(applied)
    await migrations.run(scope, never)
    expect(programs).toHaveLength(1)
    expect(programs[0]).toMatchObject({
      unit: 'migrations',
      command: {
        argv: ['/usr/bin/python3', '-m', 'mathesar.install'],
        cwd: '/code',
        user: scope.place.identities.mathesar,
        env: { SKIP_STATIC_COLLECTION: 'true', SECRET_KEY: 'the secret key' },
      },
    })
    expect([held.locks, said]).toEqual([1, ['info running migrations']])
  })

  test('waits for another container that migrates, says so once, and then does nothing', async () => {
    const { scope, held, clock, programs, said, reports } = stage([])
    held.isForeign = true
    const run = migrations.run(scope, never)
    await clock.advance(1200)
    expect(said).toEqual(['info another container runs the migrations: waiting for it'])
    expect(reports).toEqual(Array(3).fill('waits for another container that migrates'))
    held.applied = image
    held.isForeign = false
    await clock.advance(500)
    await run
    expect([programs, reports.at(-1)]).toEqual([[], null])
  })

  test('warns where another container migrated meanwhile with a key of its own', async () => {
    const { scope, held, clock, said } = stage([], {
      config: externalDatabase,
      results: { key: { isNew: true } },
    })
    held.isForeign = true
    const run = migrations.run(scope, never)
    await clock.advance(100)
    held.applied = image
    held.isForeign = false
    await clock.advance(500)
    await run
    expect(said.at(-1)).toMatch(
      /^warn another container migrated the database meanwhile, with a key of its own/,
    )
  })

  test.each([
    [['mathesar.0003_newer'], 'mathesar.0003_newer'],
    [
      ['mathesar.0003_a', 'mathesar.0004_b', 'auth.0002_c', 'auth.0003_d', 'auth.0004_e'],
      'mathesar.0003_a, mathesar.0004_b, auth.0002_c and 2 more',
    ],
  ])('refuses a database that a newer Mathesar wrote: %j', async (more, named) => {
    const { scope, programs } = stage([...image, ...more])
    expect(await failureOf(() => migrations.run(scope, never))).toMatchObject({
      code: 'DATABASE_AHEAD',
      message: `cannot use the internal database: it has migrations that this image does not know: ${named}`,
    })
    expect(programs).toEqual([])
  })

  test('migrates in any case where the image has no list of its migrations', async () => {
    const { scope, disk, programs } = stage(image)
    disk.files.remove('/share/migrations.json')
    await migrations.run(scope, never)
    expect(programs).toHaveLength(1)
  })

  test.each([
    [{ code: 1, signal: null }, ['a', 'the last line'], 'Django failed with exit code 1: the last line'],
    [{ code: null, signal: 'SIGTERM' as const }, [], 'Django was terminated by SIGTERM: it said nothing'],
  ])('ends with what Django said last: %j %j', async (outcome, lines, message) => {
    const { scope, replies } = stage(undefined)
    replies.program = async () => ({ outcome, lines })
    expect(await failureOf(() => migrations.run(scope, never))).toMatchObject({
      code: 'MIGRATIONS_FAILED',
      message: `cannot migrate the internal database: ${message}`,
    })
  })

  test('ends when everything stops while it waits', async () => {
    const { scope, held, clock } = stage([])
    held.isForeign = true
    const stopping = new AbortController()
    const run = migrations.run(scope, stopping.signal)
    await clock.advance(100)
    stopping.abort(new Error('everything stops'))
    await expect(run).rejects.toThrow('everything stops')
  })
})

describe('the migrations of an image and a database', () => {
  test('differ by what is missing, and by what is ahead in an app that the image knows', () => {
    expect(
      compareMigrations(image, ['auth.0001_initial', 'mathesar.0009_new', 'plugin.0001_initial']),
    ).toEqual({
      missing: ['mathesar.0001_initial', 'mathesar.0002_more'],
      ahead: ['mathesar.0009_new'],
    })
  })
})
