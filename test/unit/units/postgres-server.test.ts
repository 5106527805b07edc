import { describe, expect, test } from 'vitest'
import { postgres } from '../../../src/units/postgres/server.ts'
import { readFile } from '../configurations.ts'
import { errorWith } from '../fakes/files.ts'
import { serverError } from '../fakes/postgres.ts'
import { createScope, externalDatabase, never, placeOf } from '../fakes/scope.ts'

const controlPath = '/data/postgres/global/pg_control'

/** A control file as it begins: the identifier, two versions and the state. */
const controlFile = (state: number): Buffer => {
  const bytes = Buffer.alloc(8192)
  bytes.writeBigUInt64LE(7_654_321_987_654_321_987n)
  bytes.writeUInt32LE(1300, 8)
  bytes.writeUInt32LE(202_209_061, 12)
  bytes.writeUInt32LE(state, 16)
  return bytes
}

describe('the end of Postgres', () => {
  const whyUnclean = (content: Buffer | Error): string | undefined => {
    const { scope, disk } = createScope()
    if (content instanceof Error) disk.failOn(() => content)
    else disk.put(controlPath, content)
    return postgres.whyUnclean!(scope)
  }

  test.each([
    ['starting up', 0],
    ['shut down in recovery', 2],
    ['shutting down', 3],
    ['in crash recovery', 4],
    ['in archive recovery', 5],
    ['in production', 6],
  ])('is not clean when its data is %s', (_, state) => {
    expect(whyUnclean(controlFile(state))).toBe('its data has to be recovered')
  })

  test('is clean when its data is shut down', () => {
    expect(whyUnclean(controlFile(1))).toBeUndefined()
  })

  test('is not clean when nobody can tell', () => {
    expect(whyUnclean(errorWith('EIO'))).toBe('EIO: it is refused')
    expect(whyUnclean(Buffer.alloc(0))).toBeDefined()
    expect(whyUnclean(Buffer.alloc(10_000))).toBe('it is larger than 8 KiB')
  })
})

describe('the probe of Postgres', () => {
  const lockFile = (phase: string): string =>
    `4711\n/data/postgres\n0\n5432\n/run/m/postgres\n\n1 2\n${phase}\n`
  const stage = (phase: string | undefined) => {
    const at = createScope()
    if (phase !== undefined) at.disk.put('/data/postgres/postmaster.pid', lockFile(phase))
    return at
  }

  test.each([
    [undefined, 'it has not begun'],
    ['starting', 'it is starting'],
    ['stopping', 'it is stopping'],
    ['standby ', 'it replays a log and takes no writes yet (recovery.signal)'],
  ])('asks nobody while the lock file says %s', async (phase, why) => {
    const { scope, database } = stage(phase)
    expect(await postgres.probe(scope, never)).toBe(why)
    expect(database.logins).toEqual([])
  })

  test('then asks over the socket as the role of Mathesar', async () => {
    const { scope, database } = stage('ready   ')
    expect(await postgres.probe(scope, never)).toBeUndefined()
    expect(database.logins).toEqual([
      { host: '/run/m/postgres', port: 5432, user: 'mathesar', database: 'postgres', ssl: false },
    ])
  })

  test('takes a refusal for an answer: the task `database` says what is wrong', async () => {
    const { scope, database } = stage('ready')
    database.refuseWith(() => serverError('28000'))
    expect(await postgres.probe(scope, never)).toBeUndefined()
  })

  test.each([serverError('57P03'), serverError('57P01'), errorWith('ECONNREFUSED')])(
    'fails with %s',
    async (error) => {
      const { scope, database } = stage('ready')
      database.refuseWith(() => error)
      await expect(postgres.probe(scope, never)).rejects.toBe(error)
    },
  )

  test('shows no more of a lock file than a word of it: its user may write anything there', async () => {
    const { scope } = stage(`\x1b[2J${'x'.repeat(1000)}`)
    const why = String(await postgres.probe(scope, never))
    expect(why).not.toContain('\x1b')
    expect(why.length).toBeLessThan(80)
  })
})

describe('the command of Postgres', () => {
  test('runs the server in the foreground on a unix socket alone, whatever ALTER SYSTEM says', async () => {
    const { scope } = createScope({ place: { environment: { PGHOST: 'x', SECRET_KEY: 'hunter2' } } })
    expect(await postgres.command(scope)).toEqual({
      argv: [
        '/usr/lib/postgresql/17/bin/postgres',
        '-D',
        '/data/postgres',
        ...[
          'config_file=/run/m/etc/postgresql.conf',
          'hba_file=/run/m/etc/pg_hba.conf',
          'ident_file=/run/m/etc/pg_ident.conf',
          'unix_socket_directories=/run/m/postgres',
          'listen_addresses=',
          'port=5432',
        ].flatMap((parameter) => ['-c', parameter]),
      ],
      env: {
        PATH: '/usr/lib/postgresql/17/bin:/usr/bin:/bin',
        LANG: 'C.UTF-8',
        LC_ALL: 'C.UTF-8',
        TZ: 'UTC',
        PG_OOM_ADJUST_FILE: '/proc/self/oom_score_adj',
        PG_OOM_ADJUST_VALUE: '200',
      },
      oomScoreAdj: 100,
      user: scope.place.identities.postgres,
      cwd: '/data/postgres',
    })
  })

  test('first runs in single-user mode what a refused login has asked for, once', async () => {
    const { scope, disk, programs } = createScope()
    disk.put('/run/m/etc/repair.sql', 'ALTER ROLE postgres LOGIN\n')
    await postgres.command(scope)
    await postgres.command(scope)
    expect(programs.map(({ command }) => command)).toEqual([
      expect.objectContaining({ user: scope.place.identities.postgres, cwd: '/data/postgres' }),
    ])
    const argv = programs[0]!.command.argv.join(' ')
    expect(argv).toMatch(/^sh -c exec "\$@" < "\$0" > \/dev\/null \/run\/m\/etc\/repair\.sql \/usr/)
    expect(argv).toMatch(/postgres --single -D \/data\/postgres -c config_file=.* template1$/)
  })

  test.each([
    ['nothing was set by ALTER SYSTEM', '# by hand\n', undefined],
    ['much was set', "a = '1'\nb.c = '2'\n", 'ALTER SYSTEM has set a, b.c. '],
    ['what was set is no text', Buffer.alloc(100_000), 'Look at /data/postgres/postgresql.auto.conf'],
  ])('that dies again and again has a hint where %s: %j', (_, content, hint) => {
    const { scope, disk } = createScope()
    disk.put('/data/postgres/postgresql.auto.conf', content)
    if (hint === undefined) expect(postgres.crashHint!(scope)).toBeUndefined()
    else expect(postgres.crashHint!(scope)).toContain(hint)
  })

  test('waits for what the postmaster before left behind, and ends it more and more firmly', async () => {
    const { scope, replies, signals, clock } = createScope()
    let left = [31, 32]
    replies.orphans = () => left
    let isDone = false
    const command = postgres.command(scope).then(() => (isDone = true))
    await clock.advance(490)
    expect(signals).toEqual([])
    await clock.advance(20)
    expect(signals).toEqual(['SIGQUIT 31', 'SIGQUIT 32'])
    left = [32]
    await clock.advance(500)
    expect(signals.slice(2)).toEqual(['SIGKILL 32'])
    expect(isDone).toBe(false)
    left = []
    await clock.advance(20)
    await command
    expect(clock.armed).toBe(0)
  })

  test('goes on at once where nothing is left behind, and after six seconds in any case', async () => {
    const { scope, replies, clock } = createScope()
    await postgres.command(scope)
    replies.orphans = () => [31]
    const command = postgres.command(scope)
    await clock.advance(1000)
    clock.jump(-24 * 3_600_000) // Whatever becomes of the clock.
    await clock.advance(5000)
    await command
    expect(clock.armed).toBe(0)
  })
})

describe('the policy of Postgres', () => {
  test('gives a checkpoint a minute, and at the stop of the container what the platform gives', () => {
    const policy = postgres.policy(readFile('STOP_GRACE_PERIOD=20\n'))
    expect(policy).toMatchObject({
      graceMs: 60_000,
      shutdownMs: 8000,
      stopSignal: 'SIGINT',
      forceStopSignal: 'SIGQUIT',
    })
    expect(policy, 'a recovery takes as long as it takes').not.toHaveProperty('startLimitMs')
    expect(postgres.policy(readFile('STOP_GRACE_PERIOD=3600\n')).graceMs).toBe(1_440_000)
  })

  test('is for the embedded one: with an external database it is left out', () => {
    expect(postgres.skip!(readFile(externalDatabase), placeOf())).toBe('the database is external')
    expect(postgres.skip!(readFile(''), placeOf())).toBeUndefined()
  })
})

describe('the liveness of Postgres', () => {
  const look = { state: 'S', sleeps: 1, children: ['S'] }

  test('is over where nobody can reach it any more', () => {
    const { scope, disk } = createScope()
    expect(postgres.whyHung!(scope, look)).toBe('its socket is gone')
    disk.put('/run/m/postgres/.s.PGSQL.5432', '')
    expect(postgres.whyHung!(scope, look)).toBeUndefined()
    expect(postgres.whyHung!(scope, { ...look, state: 'T' })).toBe('its first process is stopped (SIGSTOP)')
  })

  test('is over where all its children are stopped, and looks at none after one that is not', () => {
    const { scope, disk } = createScope()
    disk.put('/run/m/postgres/.s.PGSQL.5432', '')
    let looks = 0
    const children = (states: string) => ({
      *[Symbol.iterator]() {
        for (const state of states) {
          looks++
          yield state
        }
      },
    })
    const whyHung = (states: string) => postgres.whyHung!(scope, { ...look, children: children(states) })
    expect(whyHung('')).toBeUndefined()
    expect(whyHung('TTT')).toBe('all its workers are stopped (SIGSTOP)')
    looks = 0
    expect(whyHung('TSTT')).toBeUndefined()
    expect(looks).toBe(2)
  })
})
