import { describe, expect, test } from 'vitest'
import { database } from '../../../src/units/postgres/roles.ts'
import { scramVerifier } from '../../../src/units/postgres/scram.ts'
import { failureOf } from '../failure.ts'
import { errorWith } from '../fakes/files.ts'
import { type Answer, serverError } from '../fakes/postgres.ts'
import { createScope, externalDatabase, never, rootIdentities, singleUser } from '../fakes/scope.ts'

/** What an embedded Postgres holds, and how it answers what the task asks. */
type Held = {
  readonly password?: string | null
  readonly role?: boolean
  readonly database?: boolean
  /** The superuser's own. */
  readonly hasOwnDatabase?: boolean
  readonly undone?: readonly string[]
  readonly lacksSelfGrant?: boolean
}
const server = { version: '17.9', locale: 'und', collation: 'ICU 153.128', databases: [], stale: [] }
const answerOf =
  ({
    password = null,
    role = true,
    database: hasDatabase = true,
    hasOwnDatabase = true,
    undone = [],
    lacksSelfGrant,
  }: Held): Answer =>
  (text, values) => {
    if (text.includes('pg_authid')) return [{ rolpassword: password }]
    if (text.startsWith('SELECT 1 FROM pg_roles')) return role && values[0] === 'mathesar' ? [{}] : []
    if (text.startsWith('SELECT 1 FROM pg_database'))
      return (values[0] === 'postgres' ? hasOwnDatabase : hasDatabase) ? [{}] : []
    if (text.includes('server_version')) return [server]
    if (text.includes('pg_settings')) return lacksSelfGrant ? [{}] : []
    return text.includes('UNION ALL') ? undone.map((command) => ({ command })) : []
  }
const isChange = (query: string): boolean => /^(CREATE|ALTER|GRANT)/.test(query)

describe('the task `database` with the embedded Postgres', () => {
  const run = async (held: Held, results: Parameters<typeof createScope>[0] = {}) => {
    const at = createScope(results)
    at.database.answerWith(answerOf(held))
    expect(await database.run(at.scope, never)).toEqual(server)
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
    expect(said).toEqual([`warn what was changed could keep the next start from serving: ${command}`])
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
        options:
          '-c search_path=pg_catalog -c session_preload_libraries= -c local_preload_libraries= ' +
          '-c role=none -c default_transaction_read_only=off -c statement_timeout=30s',
        ssl: false,
        password: 'the password',
      },
    ])
  })

  test.each([
    ['its own password first', { isFresh: false, wasShutDown: true }, 'the password', 'bootstrap'],
    [
      'the password of the template first',
      { isFresh: true, wasShutDown: undefined },
      'bootstrap',
      'the password',
    ],
  ])('tries %s on a cluster that is %j, then the other one', async (_, cluster, first, second) => {
    const { scope, database: server } = createScope({ results: { cluster } })
    server.answerWith(answerOf({}))
    server.refuseWith(({ password }) => (password === second ? undefined : serverError('28P01')))
    await database.run(scope, never)
    expect(server.logins.map(({ password }) => password)).toEqual([first, second])
  })

  test.each([
    ['was dropped', '3D000'],
    ['lets nobody in', '55000'],
  ])('makes the database of the superuser again from another one when it %s', async (_, code) => {
    const { scope, database: server } = createScope()
    server.answerWith(answerOf({ hasOwnDatabase: code !== '3D000' }))
    server.refuseWith(({ database: name }) => (name === 'postgres' ? serverError(code) : undefined))
    await database.run(scope, never)
    expect(server.logins.map(({ database: name }) => name)).toEqual(['postgres', 'template1'])
    const isMade = server.queries.includes('CREATE DATABASE postgres TEMPLATE template0')
    expect(isMade).toBe(code === '3D000')
  })

  const stageLockedOut = (refusal: Error, identities = rootIdentities) => {
    const at = createScope({ place: { identities } })
    at.database.answerWith(answerOf({ password: scramVerifier('the password') }))
    at.database.refuseWith(() => refusal)
    const control = (): string[] => at.programs.map(({ command }) => command.argv.slice(1, -3).join(' '))
    return { ...at, control }
  }
  const noLogin = serverError('28000', 'role "postgres" is not permitted to log in')
  const repairFile = '/run/m/etc/repair.sql'
  const accessFile = '/run/m/etc/pg_hba.conf'

  test('that forbids the superuser to log in is stopped once, for its next start to permit it', async () => {
    const { scope, database: server, disk, programs, control, clock } = stageLockedOut(noLogin)
    const run = database.run(scope, never)
    await clock.advance(200)
    expect(control()).toEqual(['stop --mode=fast --no-wait'])
    expect(programs[0]!.command.user, 'not as root').toEqual(rootIdentities.postgres)
    expect(disk.files.readIfThere(repairFile)).toMatch(/\nALTER ROLE postgres SUPERUSER LOGIN\n$/)
    server.refuseWith(() => undefined)
    disk.files.remove(repairFile)
    await clock.advance(100)
    await run
    expect(control()).toHaveLength(1)
  })

  test('that refuses the superuser after that, too, ends with the sentence of the server', async () => {
    const { scope, disk, clock } = stageLockedOut(noLogin)
    disk.put('/data/postgres/postgresql.auto.conf', "# made by ALTER SYSTEM\nhba_file = '/secret'\n")
    const failure = failureOf(() => database.run(scope, never))
    await clock.advance(100)
    disk.files.remove(repairFile)
    await clock.advance(100)
    const { code, message, hint } = await failure
    expect([code, message]).toEqual([
      'CLUSTER_UNUSABLE',
      `cannot use the cluster in /data/postgres: ${noLogin.message}`,
    ])
    expect(hint).toContain(
      'ALTER SYSTEM has set hba_file. If that is the cause, remove its line: `docker run',
    )
    expect(hint).toContain("sed IMAGE -i '/^hba_file\\>/d' /data/postgres/postgresql.auto.conf`")
    expect(hint).not.toContain('/secret')
  })

  test('of a single user that has another password gets ours while it asks for none', async () => {
    const wrong = serverError('28P01')
    const { scope, database: server, disk, replies, control } = stageLockedOut(wrong, singleUser)
    const strict = 'local all postgres scram-sha-256\n'
    disk.put(accessFile, strict)
    replies.program = async () => {
      const isOpen = disk.files.readIfThere(accessFile)!.startsWith('local all postgres trust\n')
      server.refuseWith(() => (isOpen || server.queries.some(isChange) ? undefined : wrong))
      return { outcome: { code: 0, signal: null }, lines: [] }
    }
    await database.run(scope, never)
    expect(server.queries.filter(isChange)).toEqual([
      expect.stringMatching(/^ALTER ROLE postgres VALID UNTIL 'infinity' PASSWORD 'SCRAM-SHA-256/),
    ])
    expect([disk.files.readIfThere(accessFile), control()]).toEqual([strict, ['reload', 'reload']])
  })

  test('of a single user that forbids the superuser to log in names the command to type', async () => {
    const { scope, disk, control } = stageLockedOut(noLogin, singleUser)
    disk.put(accessFile, 'strict\n')
    const { code, hint } = await failureOf(() => database.run(scope, never))
    expect(code).toBe('CLUSTER_UNUSABLE')
    expect(hint).toContain(
      'setpriv --reuid 1000 --regid 0 --clear-groups postgres --single -D /data/postgres',
    )
    expect([disk.files.readIfThere(accessFile), control().length]).toEqual(['strict\n', 2])
  })

  test('that lacks a locale of the cluster ends with it at once: no repair can help', async () => {
    const { scope, database: server, programs } = createScope()
    server.refuseWith(() => serverError('XX000', 'database locale is incompatible with operating system'))
    const { code, hint } = await failureOf(() => database.run(scope, never))
    expect([code, programs]).toEqual(['CLUSTER_UNUSABLE', []])
    expect(hint).toContain('A locale that is named has to be in the image')
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
      message: `cannot reach the database (${where}) within 3 s: ECONNREFUSED (tried 192.0.2.7)`,
    })
  })

  test('gives up within 5 s in a change: who asked for it waits', async () => {
    const { scope, database: server, clock } = createScope({ config: externalDatabase, isBoot: false })
    server.refuseWith(() => errorWith('ECONNREFUSED'))
    const failure = failureOf(() => database.run(scope, never))
    await clock.advance(5000)
    expect((await failure).message).toBe(
      `cannot reach the database (${where}) within 5 s: ECONNREFUSED (tried 192.0.2.7)`,
    )
  })

  test.each([
    ['a wrong password', serverError('28P01', 'password authentication failed')],
    ['no such database', serverError('3D000', 'it does not exist')],
    ['no password', new Error('SASL: client password must be a string')],
    ['no TLS', new Error('The server does not support SSL connections')],
    ['an unknown CA', Object.assign(new Error('self-signed certificate'), { code: 'X' })],
    ['both ways', new AggregateError([serverError('28000'), serverError('28P01')], 'both')],
    ['a pooler that refuses the password', serverError('08P01', 'SASL authentication failed')],
    ['a pooler that knows no such user', serverError('XX000', 'Tenant or user not found')],
    ['a host that needs its endpoint', serverError('26000', 'Endpoint ID is not specified')],
    ['a database that one may not enter', serverError('42501', 'permission denied for database "app"')],
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
    ['it is not there', serverError('3D000', 'database "app" does not exist'), true],
    [
      'both ways to connect say so',
      new AggregateError([serverError('3D000'), serverError('3D000')], 'both'),
      true,
    ],
    ['a pooler does not know it', serverError('3D000', 'no such database: app'), false],
    ['the user may not enter it', serverError('42501', 'permission denied for database "app"'), false],
  ])('says how to create the database where %s', async (_, error, isSaid) => {
    const { scope, database: server } = stage()
    server.refuseWith(() => error)
    const { hint } = await failureOf(() => database.run(scope, never))
    expect(hint.includes('`CREATE DATABASE "app" OWNER "joe"`')).toBe(isSaid)
  })

  test.each([
    [
      'a handshake that was cut off',
      new Error('Client network socket disconnected before secure TLS connection'),
    ],
    ['a server that starts', serverError('57P03')],
    ['one of two ways', new AggregateError([serverError('28000'), errorWith('ECONNREFUSED')], 'both')],
    ['a server without a free connection', serverError('53300', 'too many connections')],
    ['a pooler without a server', serverError('08P01', 'server login has been failing, try again later')],
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

  test('gives up on a server that answers with its sentence, and shows no secret of it', async () => {
    const {
      scope,
      database: server,
      clock,
      reports,
      system,
    } = stage(`${externalDatabase}DATABASE_WAIT_TIMEOUT=1\n`)
    system.log.addSecret('hunter2')
    server.refuseWith(() => serverError('XX000', `no worker for hunter2 is free${'!'.repeat(1000)}`))
    const failure = failureOf(() => database.run(scope, never))
    await clock.advance(2000)
    const { code, message, hint } = await failure
    expect(code).toBe('DATABASE_UNREACHABLE')
    expect(message).toContain('within 1 s: no worker for [redacted] is free!!!')
    expect(message.length).toBeLessThan(700)
    expect(hint).toContain('the sentence above is its own')
    expect(`${message}${reports.join()}`).not.toContain('hunter2')
  })

  test.each([
    ['a replica', { isReplica: true, isReadOnly: true }, 'it is a replica, which takes no writes'],
    [
      'one that it may not write',
      { isReplica: false, isReadOnly: true },
      'it takes no writes from this user',
    ],
  ])('does not serve %s: it waits for a primary, and then says so', async (_, answer, why) => {
    const { scope, database: server, clock, reports } = stage(`${externalDatabase}DATABASE_WAIT_TIMEOUT=1\n`)
    server.answerWith(() => [answer])
    const failure = failureOf(() => database.run(scope, never))
    await clock.advance(2000)
    const { code, message, hint } = await failure
    expect([code, hint]).toEqual(['DATABASE_REFUSED', expect.stringContaining('primary server')])
    expect(message).toContain(`cannot use the database (${where}): ${why}`)
    expect(reports[0]).toContain(why)
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
