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
  const held = { applied, isForeign: false, isOurs: false, locks: 0, onLock: (): unknown => undefined }
  at.disk.put('/share/migrations.json', JSON.stringify(image))
  at.disk.put('/code/mathesar/__init__.py', '__version__ = "0.11.0"\n')
  at.disk.put('/data/manifest.json', JSON.stringify({ servedBy: { mathesar: '0.9.0' } }))
  at.database.answerWith((text) => {
    if (text === 'COMMIT') held.isOurs = false
    if (text.includes('pg_try_advisory_xact_lock')) {
      held.locks++
      held.onLock()
      held.isOurs = !held.isForeign
      return [{ locked: held.isOurs }]
    }
    if (text.includes('to_regclass')) return held.applied === undefined ? [] : [{ isTable: true }]
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
    expect(await migrations.run(scope, never)).toEqual({ brought: null })
    expect([programs, held.locks]).toEqual([[], 0])
  })

  test.each([
    ['of a new installation', undefined, 'running migrations'],
    [
      'of an older Mathesar',
      ['auth.0001_initial', 'mathesar.0001_initial'],
      'Mathesar 0.9.0 → 0.11.0: running all or none of these migrations: mathesar.0002_more',
    ],
  ])('migrates the database %s as the user of Mathesar, once it has the lock', async (_, applied, words) => {
    const { scope, programs, held, said } = stage(applied)
    expect(await migrations.run(scope, never)).toEqual({ brought: 'forth' })
    expect(programs).toHaveLength(1)
    expect(programs[0]).toMatchObject({
      unit: 'migrations',
      command: {
        argv: ['/usr/bin/python3', '/etc/migrate.py'],
        cwd: '/code',
        user: scope.place.identities.mathesar,
        env: {
          SECRET_KEY: 'the secret key',
          PGCONNECT_TIMEOUT: '5',
          PAST_HOST: '/run/m/yesterday',
          UPGRADE_ALL: '1', // another Mathesar served last
          ELSEWHERE_AT_MOST_S: '15',
        },
      },
    })
    expect([held.locks, said.at(-1)]).toEqual([1, `info ${words}`])
  })

  test('says that another container has migrated while it waited for the lock', async () => {
    const { scope, programs, held } = stage(['auth.0001_initial'])
    held.onLock = () => (held.applied = [...image])
    expect(await migrations.run(scope, never)).toEqual({ brought: null })
    expect(programs).toEqual([])
  })

  test('has the disk keep the key before anything can be encrypted with it', async () => {
    const { scope, disk, replies } = stage(undefined)
    disk.put('/data/secrets/secret_key', 'the key')
    const program = replies.program
    replies.program = async (...asked) => {
      expect(disk.acts).toContain('syncFile /data/secrets/secret_key')
      return await program(...asked)
    }
    await migrations.run(scope, never)
    expect.assertions(2)
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

  test.each([
    [['mathesar.0003_newer'], 'mathesar.0003_newer'],
    [
      ['mathesar.0003_a', 'mathesar.0004_b', 'auth.0002_c', 'auth.0003_d', 'auth.0004_e'],
      'mathesar.0003_a, mathesar.0004_b, auth.0002_c, and 2 more',
    ],
  ])('refuses a database that a newer Mathesar wrote: %j', async (more, named) => {
    const { scope, programs } = stage([...image, ...more])
    expect(await failureOf(() => migrations.run(scope, never))).toMatchObject({
      code: 'DATABASE_AHEAD',
      message:
        'cannot use the internal database with Mathesar 0.11.0: 0.9.0 has served from it, and it has ' +
        `migrations that this image does not know: ${named}`,
    })
    expect(programs).toEqual([])
  })

  test('migrates in any case where the image has no list of its migrations', async () => {
    const { scope, disk, programs } = stage(image)
    disk.files.remove('/share/migrations.json')
    await migrations.run(scope, never)
    expect(programs).toHaveLength(1)
  })

  test('refuses at once what is not a table: a view may never answer', async () => {
    const { scope, database, programs } = stage(image)
    database.answerWith((text) => (text.includes('to_regclass') ? [{ isTable: false }] : []))
    const { code, message } = await failureOf(() => migrations.run(scope, never))
    expect([code, message]).toEqual(['DATABASE_REFUSED', expect.stringContaining('is not a table')])
    expect([programs, database.queries.filter((text) => text.includes('FROM django_migrations'))]).toEqual([
      [],
      [],
    ])
  })

  test('has a limit for each question to the database, and none for its lock', async () => {
    const { scope, database } = stage(undefined)
    await migrations.run(scope, never)
    const { queries } = database
    const begins = queries.flatMap((text, at) => (text.startsWith('BEGIN') ? [at] : []))
    expect(begins).toHaveLength(2)
    expect([queries[0], queries.at(-1)]).toEqual(['BEGIN ISOLATION LEVEL READ COMMITTED', 'COMMIT'])
    for (const at of begins) {
      expect(queries[at + 1]).toContain("WHEN 'statement_timeout' THEN '10s' ELSE '0'")
      expect(queries[at + 1]).toContain("'idle_in_transaction_session_timeout', 'transaction_timeout'")
    }
  })

  test('names the right that is missing, and what to type, before Django fails for it', async () => {
    const { scope, database, programs } = stage(undefined, { config: externalDatabase })
    const command = 'GRANT USAGE, CREATE ON SCHEMA public TO joe'
    database.answerWith((text) => {
      if (text.includes('try_advisory')) return [{ locked: true }]
      return text.includes('has_schema_privilege') ? [{ command, schema: 'public', role: 'joe' }] : []
    })
    const { code, message, hint } = await failureOf(() => migrations.run(scope, never))
    expect(code).toBe('MIGRATIONS_FAILED')
    expect(message).toContain('user joe may not create tables in schema public of database app')
    expect(hint).toContain(`database app, connected to it, type: ${command};`)
    expect(programs).toEqual([])
  })

  test('stops Django when the connection that holds the lock breaks: another may migrate then', async () => {
    const { scope, database, clock, replies } = stage(undefined)
    replies.program = (_, signal) =>
      new Promise((_resolve, reject) =>
        signal!.addEventListener('abort', () => reject(signal!.reason as Error)),
      )
    const failure = failureOf(() => migrations.run(scope, never))
    await clock.advance(3500)
    expect(database.queries.filter((text) => text.includes('AS step'))).toHaveLength(3)
    database.answerWith(() => serverError('57P05', 'terminating connection due to idle-session timeout'))
    await clock.advance(1000)
    expect(await failure).toMatchObject({ code: 'DATABASE_LOST', isPassing: true })
    expect(clock.armed).toBe(0)
  })

  test.each([
    [serverError('28P01'), 'DATABASE_REFUSED'],
    [serverError('3D000'), 'DATABASE_REFUSED'],
    [new AggregateError([serverError('28000'), serverError('28000')], 'both'), 'DATABASE_REFUSED'],
    [serverError('25006'), 'DATABASE_REFUSED'],
    [serverError('53300'), 'DATABASE_LOST'],
    [serverError('57014'), 'DATABASE_LOST'],
    [new Error('Client has encountered a connection error and is not queryable'), 'DATABASE_LOST'],
  ])('tells what the server says no to as its word, never as our fault: %s, %s', async (error, code) => {
    const { scope, database } = stage(undefined)
    database.refuseWith(() => error)
    expect((await failureOf(() => migrations.run(scope, never))).code).toBe(code)
  })

  test.each([
    [{ code: 1, signal: null }, ['a', 'the last line'], 'Django failed with exit code 1: the last line'],
    [
      { code: 1, signal: null },
      [
        'Traceback (most recent call last):',
        '  File "x.py", line 1',
        'psycopg.errors.InsufficientPrivilege: permission denied',
        'LINE 1: CREATE TABLE "x"',
        '                     ^',
        'The above exception was the direct cause of the following exception:',
        'Traceback (most recent call last):',
        '  File "y.py", line 2',
        'django.db.utils.ProgrammingError: permission denied for schema public',
        'LINE 1: CREATE TABLE "x"',
        '                     ^',
      ],
      'Django failed with exit code 1: django.db.utils.ProgrammingError: permission denied for schema public',
    ],
    [
      { code: 1, signal: null },
      ['ERROR: of an old tail', 'DETAIL:  more', '    ^'],
      'Django failed with exit code 1: ERROR: of an old tail',
    ],
    [
      { code: 1, signal: null },
      [
        'DEBUG the traceback',
        '  Traceback (most recent call last):',
        'ERROR mathesar.0002_more: it is too long',
      ],
      'mathesar.0002_more: it is too long',
    ],
    [{ code: null, signal: 'SIGTERM' as const }, [], 'Django was terminated by SIGTERM: it said nothing'],
  ])('ends with what Django said last: %j %j', async (outcome, lines, message) => {
    const { scope, replies } = stage(undefined)
    replies.program = async () => ({ outcome, lines })
    expect(await failureOf(() => migrations.run(scope, never))).toMatchObject({
      code: 'MIGRATIONS_FAILED',
      message: `cannot migrate the internal database: ${message}`,
    })
  })

  test('says that nothing was changed, unless a migration could not be in the transaction', async () => {
    const { scope, replies } = stage(undefined)
    const lines = ['ERROR mathesar.0002_more: it is too long']
    replies.program = async () => ({ outcome: { code: 1, signal: null }, lines })
    expect((await failureOf(() => migrations.run(scope, never))).hint).toContain('Nothing was changed')
    replies.program = async () => ({ outcome: { code: 2, signal: null }, lines })
    expect((await failureOf(() => migrations.run(scope, never))).hint).toContain('before it are in force')
  })

  test('reports which one it is at, and whose lock that waits for', async () => {
    const { scope, replies, database, clock, reports, said } = stage([])
    replies.program = async () => {
      database.answerWith(() => [{ step: 'migration 2 of 3: mathesar.0001_initial', blockers }])
      await clock.delay(2500)
      return { outcome: { code: 0, signal: null }, lines: [] }
    }
    const blockers = 'role \u001b[31mann, process 12'
    const run = migrations.run(scope, never)
    await clock.advance(3000)
    await run
    const step = 'migration 2 of 3: mathesar.0001_initial; it waits for a lock (role ?[31mann, process 12)'
    expect(reports).toEqual([null, step, step, null])
    expect(said.filter((line) => line.startsWith('warn'))).toEqual([`warn ${step}`])
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

  test('waits with RUN_MIGRATIONS=never until somebody else has migrated, and says what for', async () => {
    const { scope, clock, programs, held, reports, said } = stage(['auth.0001_initial'], {
      config: `${externalDatabase}RUN_MIGRATIONS=never\n`,
    })
    const run = Promise.resolve(migrations.run(scope, never))
    await clock.advance(10_000)
    const waits = 'waits for `supervisor migrate` (RUN_MIGRATIONS=never): 2 migrations to run'
    expect([reports.at(-1), said]).toEqual([waits, [`info migrations ${waits}`]])
    held.applied = [...image]
    await clock.advance(2000)
    await run
    expect([programs, held.locks, clock.armed]).toEqual([[], 0, 0])
  })

  test('refuses with RUN_MIGRATIONS=never the database of a newer Mathesar, too', async () => {
    const { scope } = stage([...image, 'mathesar.0003_newer'], {
      config: `${externalDatabase}RUN_MIGRATIONS=never\n`,
    })
    expect(await failureOf(() => migrations.run(scope, never))).toMatchObject({ code: 'DATABASE_AHEAD' })
  })

  test('migrates the embedded server in spite of it: nobody else could', async () => {
    const { scope, programs } = stage(undefined, { config: 'RUN_MIGRATIONS=never\n' })
    await migrations.run(scope, never)
    expect(programs).toHaveLength(1)
  })
})
