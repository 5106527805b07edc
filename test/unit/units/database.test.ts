import { describe, expect, test } from 'vitest'
import { database } from '../../../src/units/postgres/roles.ts'
import { scramVerifier } from '../../../src/units/postgres/scram.ts'
import { failureOf } from '../failure.ts'
import { errorWith } from '../fakes/files.ts'
import { type Answer, serverError } from '../fakes/postgres.ts'
import { createScope, externalDatabase, never } from '../fakes/scope.ts'

/** What an embedded Postgres holds, and how it answers what the task asks. */
type Held = {
  readonly password?: string | null
  readonly role?: boolean
  readonly database?: boolean
  readonly undone?: readonly string[]
  readonly lacksSelfGrant?: boolean
}
const answerOf =
  ({
    password = null,
    role = true,
    database: hasDatabase = true,
    undone = [],
    lacksSelfGrant,
  }: Held): Answer =>
  (text, values) => {
    if (text.includes('pg_authid')) return [{ rolpassword: password }]
    if (text.startsWith('SELECT 1 FROM pg_roles')) return role && values[0] === 'mathesar' ? [{}] : []
    if (text.startsWith('SELECT 1 FROM pg_database'))
      return hasDatabase && values[0] === 'mathesar_django' ? [{}] : []
    if (text.includes('pg_settings')) return lacksSelfGrant ? [{}] : []
    return text.includes('UNION ALL') ? undone.map((command) => ({ command })) : []
  }
const isChange = (query: string): boolean => /^(CREATE|ALTER|GRANT)/.test(query)

describe('the task `database` with the embedded Postgres', () => {
  const run = async (held: Held, results: Parameters<typeof createScope>[0] = {}) => {
    const at = createScope(results)
    at.database.answerWith(answerOf(held))
    expect(await database.run(at.scope, never)).toBeUndefined()
    return { ...at, changes: at.database.queries.filter(isChange) }
  }

  test('creates the role and the database of Mathesar, and sets the password as a verifier', async () => {
    const { changes } = await run({ role: false, database: false, lacksSelfGrant: true })
    expect(changes).toEqual([
      expect.stringMatching(/^ALTER ROLE postgres PASSWORD 'SCRAM-SHA-256\$4096:[^']+'$/),
      'CREATE ROLE mathesar LOGIN CREATEDB CREATEROLE',
      'CREATE DATABASE mathesar_django OWNER mathesar',
      "ALTER ROLE mathesar SET createrole_self_grant = 'set, inherit'",
    ])
    expect(changes.join()).not.toContain('the password')
  })

  test('changes nothing where all is as it left it', async () => {
    const { changes, said } = await run({ password: scramVerifier('the password') })
    expect([changes, said]).toEqual([[], []])
  })

  test('sets the password where another one is stored', async () => {
    expect((await run({ password: scramVerifier('another') })).changes).toHaveLength(1)
    expect((await run({ password: 'md5abc' })).changes).toHaveLength(1)
  })

  test('undoes what Mathesar did to its own role, and says what', async () => {
    const command = 'ALTER ROLE mathesar RESET ALL'
    const { changes, said } = await run({ password: scramVerifier('the password'), undone: [command] })
    expect(changes).toEqual([command])
    expect(said).toEqual([`warn what Mathesar's role had changed could keep it from connecting: ${command}`])
  })

  test('makes no empty database where one has served, and says how to go on', async () => {
    const at = createScope()
    at.disk.put('/data/manifest.json', '{"cluster":{"systemIdentifier":"7"}}')
    at.database.answerWith((text, values) =>
      text.includes('string_agg')
        ? [{ names: 'postgres, shop' }]
        : answerOf({ database: false })(text, values),
    )
    expect(await failureOf(() => database.run(at.scope, never))).toMatchObject({
      code: 'CLUSTER_DAMAGED',
      message:
        'cannot find the database mathesar_django, which has served from this volume; ' +
        'there are postgres, shop',
      hint: expect.stringContaining('remove /data/manifest.json'),
    })
    expect(at.database.queries.filter(isChange)).toEqual([])
  })

  test('looks into pg_catalog alone, as the superuser, in a database of its own', async () => {
    const { database: server } = await run({})
    expect(server.logins).toEqual([
      {
        host: '/run/m/postgres',
        port: 5432,
        user: 'postgres',
        database: 'postgres',
        options: '-c search_path=pg_catalog',
        ssl: false,
        password: 'the password',
      },
    ])
  })

  test.each([
    ['its own password first', { isFresh: false }, 'the password', 'bootstrap'],
    ['the password of the template first', { isFresh: true }, 'bootstrap', 'the password'],
  ])('tries %s on a cluster that is %j, then the other one', async (_, cluster, first, second) => {
    const { scope, database: server } = createScope({ results: { cluster } })
    server.answerWith(answerOf({}))
    server.refuseWith(({ password }) => (password === second ? undefined : serverError('28P01')))
    await database.run(scope, never)
    expect(server.logins.map(({ password }) => password)).toEqual([first, second])
  })

  test('that takes neither password says which file is not its password', async () => {
    const { scope, database: server } = createScope()
    server.refuseWith(() => serverError('28P01'))
    const failure = await failureOf(() => database.run(scope, never))
    expect(failure).toMatchObject({
      code: 'SECRETS_MISSING',
      message: 'cannot log in to the embedded Postgres: /data/secrets/postgres_password is not its password',
    })
    expect(failure.hint).toContain('Put /data/secrets/postgres_password back from a backup')
  })

  test.each([
    errorWith('ECONNRESET'),
    serverError('57P01'),
    serverError('08006'),
    new Error('Connection terminated unexpectedly'),
  ])('that goes away (%s) is a failure that passes by itself', async (error) => {
    const { scope, database: server } = createScope()
    server.answerWith(() => error)
    const failure = await failureOf(() => database.run(scope, never))
    expect([failure.code, failure.isPassing]).toEqual(['DATABASE_LOST', true])
  })

  test('that answers with another error says that the cluster cannot be used', async () => {
    const { scope, database: server } = createScope()
    server.answerWith(() => serverError('42501', 'permission denied'))
    expect(await failureOf(() => database.run(scope, never))).toMatchObject({
      code: 'CLUSTER_UNUSABLE',
      message: 'cannot use the cluster in /data/postgres: permission denied',
    })
  })
})

describe('the task `database` with an external one', () => {
  const where = 'db.example.org:5432, database app, user joe'
  const stage = (config = externalDatabase) => createScope({ config })

  test('waits until it answers, and says meanwhile for what', async () => {
    const { scope, database: server, clock, reports, said } = stage()
    let isUp = false
    server.refuseWith(() => (isUp ? undefined : errorWith('ECONNREFUSED')))
    const run = database.run(scope, never)
    await clock.advance(300)
    isUp = true
    await clock.advance(300)
    await run
    expect(reports[0]).toBe(`waits for ${where}: ECONNREFUSED`)
    expect(said[0]).toBe(`warn the database does not answer yet (${where}): ECONNREFUSED`)
    expect(server.queries.filter(isChange)).toEqual([])
    expect(`${said.join()}${reports.join()}`).not.toContain('hunter2')
  })

  test('gives up after the time of the settings', async () => {
    const { scope, database: server, clock } = stage(`${externalDatabase}DATABASE_WAIT_TIMEOUT=3\n`)
    server.refuseWith(() => errorWith('ECONNREFUSED'))
    const failure = failureOf(() => database.run(scope, never))
    await clock.advance(4000)
    expect(await failure).toMatchObject({
      code: 'DATABASE_UNREACHABLE',
      message: `cannot reach the database (${where}) within 3 s: ECONNREFUSED`,
    })
  })

  test('gives up within 5 s in a change: who asked for it waits', async () => {
    const { scope, database: server, clock } = createScope({ config: externalDatabase, isBoot: false })
    server.refuseWith(() => errorWith('ECONNREFUSED'))
    const failure = failureOf(() => database.run(scope, never))
    await clock.advance(5000)
    expect((await failure).message).toContain('within 5 s')
  })

  test.each([
    ['a wrong password', serverError('28P01', 'password authentication failed')],
    ['no such database', serverError('3D000', 'it does not exist')],
    ['no password', new Error('SASL: client password must be a string')],
    ['no TLS', new Error('The server does not support SSL connections')],
    ['an unknown CA', Object.assign(new Error('self-signed certificate'), { code: 'X' })],
    ['both ways', new AggregateError([serverError('28000'), serverError('28P01')], 'both')],
  ])('does not wait for what waiting cannot change: %s', async (_, error) => {
    const { scope, database: server } = stage()
    server.refuseWith(() => error)
    expect(await failureOf(() => database.run(scope, never))).toMatchObject({
      code: 'DATABASE_REFUSED',
      message: `cannot use the database (${where}): ${error.message}`,
    })
    expect(server.logins.length).toBeLessThanOrEqual(2)
  })

  test.each([
    [
      'a handshake that was cut off',
      new Error('Client network socket disconnected before secure TLS connection'),
    ],
    ['a server that starts', serverError('57P03')],
    ['one of two ways', new AggregateError([serverError('28000'), errorWith('ECONNREFUSED')], 'both')],
  ])('waits for %s', async (_, error) => {
    const { scope, database: server, clock } = stage()
    let isUp = false
    server.refuseWith(() => (isUp ? undefined : error))
    const run = database.run(scope, never)
    await clock.advance(250)
    isUp = true
    await clock.advance(250)
    await run
  })

  test.each([
    [new Error('The server does not support SSL connections'), true],
    [serverError('28000', 'no pg_hba.conf entry for host "1.2.3.4", user "joe", no encryption'), true],
    [serverError('28P01', 'password authentication failed'), false],
  ])('speaks of TLS where it is about TLS: %s, %s', async (error, isAboutTls) => {
    const { scope, database: server } = stage()
    server.refuseWith(() => error)
    const { hint } = await failureOf(() => database.run(scope, never))
    expect(hint.startsWith('Check POSTGRES_SSLMODE')).toBe(isAboutTls)
  })

  test('ends when everything stops, without a fault', async () => {
    const { scope, database: server, clock } = stage()
    server.refuseWith(() => errorWith('ECONNREFUSED'))
    const stopping = new AbortController()
    const run = database.run(scope, stopping.signal)
    await clock.advance(300)
    stopping.abort(new Error('everything stops'))
    await expect(run).rejects.toThrow('everything stops')
  })
})
