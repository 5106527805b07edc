import { secondsToStop } from '../../settings/stopping.ts'
import { oomScores } from '../../core/oom.ts'
import { excerpt } from '../../core/message.ts'
import { inRun, inVolume } from '../place.ts'
import { whyStopped } from '../hung.ts'
import { defineService, type Scope } from '../unit.ts'
import { readLockFile } from './cluster.ts'
import { appRole, embeddedAs, superuserDatabase } from './connection.ts'
import { readControlFile } from './control-file.ts'
import { codeOf, isAnswer } from './failures.ts'
import { asArguments, postgresEnvironment } from './programs.ts'
import { repairIfAsked } from './repair.ts'
import { crashHint } from './way-back.ts'

/**
 * Ends what a postmaster that was killed left behind: it keeps the shared memory, beside which no other may
 * start. Most of it exits by itself at once; what is busy would go on, for nobody.
 * Each has a process group of its own, so that the kill of one reaches no other.
 */
const endLeftovers = async ({ system }: Scope<never>): Promise<void> => {
  const { orphansNamed, signalProcess, clock, log } = system
  for (const [signal, forMs] of [
    [undefined, 500],
    ['SIGQUIT', 500],
    ['SIGKILL', 5000],
  ] as const) {
    const left = orphansNamed('postgres')
    if (left.length === 0) return
    if (signal) {
      log.say('warn', `${left.length} processes of the Postgres before still run: ${signal}`)
      for (const pid of left) signalProcess(pid, signal)
    }
    const endMs = clock.elapsed() + forMs
    while (orphansNamed('postgres').length > 0 && clock.elapsed() < endMs) await clock.delay(20)
  }
}

/**
 * What decides where the server is and who may enter. It is on the command line, which wins over what
 * somebody wrote by ALTER SYSTEM: that would else keep us from reaching the server,
 * and from putting it right.
 */
const argumentsOf = ({ paths }: Scope['place']): readonly string[] => {
  const { etc, postgresSocket } = inRun(paths)
  return asArguments({
    config_file: `${etc}/postgresql.conf`,
    hba_file: `${etc}/pg_hba.conf`,
    ident_file: `${etc}/pg_ident.conf`,
    unix_socket_directories: postgresSocket,
    listen_addresses: '',
    port: '5432',
  })
}

/**
 * Line 8 of the lock file tells the phase (miscadmin.h, PM_STATUS_*) without a refused connection in the log.
 */
const phaseOf = (scope: Scope<never>): string | undefined =>
  readLockFile(scope, inVolume(scope.place.paths).cluster)?.[7]?.trim()

/**
 * Whether the server refused for good: then it is up, and the task `database` says what is wrong.
 */
const isRefused = (error: unknown): boolean => isAnswer(error) && !codeOf(error).startsWith('57P0')

const whyUnreachable = ({ system, place }: Scope<never>): string | undefined =>
  system.files.isThere(`${inRun(place.paths).postgresSocket}/.s.PGSQL.5432`)
    ? undefined
    : 'its socket is gone'

/**
 * When anybody last asked something on a connection that is there beside ours, such as a psql: Mathesar keeps
 * none. Of other roles than Mathesar's the state is not shown: as long as one is connected, that is now.
 */
const lastUse = `
  SELECT pg_catalog.max(
    extract(epoch FROM CASE state WHEN 'idle' THEN state_change ELSE pg_catalog.now() END) * 1000
  )::pg_catalog.float8 AS "usedMs"
  FROM pg_catalog.pg_stat_activity
  WHERE datid IS NOT NULL AND usesysid IS NOT NULL AND pid <> pg_catalog.pg_backend_pid()`

/** The embedded Postgres server, in the foreground, on a unix socket alone. */
export const postgres = defineService({
  name: 'postgres',
  needs: ['cluster', 'server-config'],
  description: 'the embedded Postgres server',
  skip: ({ database }) => (database.kind === 'external' ? 'the database is external' : undefined),
  policy: ({ settings }) => ({
    // A checkpoint on a slow disk takes its time; a kill would have the next start recover.
    graceMs: Math.max(60_000, secondsToStop(settings) * 400),
    shutdownMs: secondsToStop(settings) * 400,
    stableMs: 30_000,
    giveUpAfter: 8,
    backoff: { baseMs: 100, maxMs: 10_000 },
    // Fast shutdown. SIGTERM, the smart one, would wait for every client to leave.
    stopSignal: 'SIGINT',
    // Immediate shutdown. Postgres recovers at its next start.
    forceStopSignal: 'SIGQUIT',
  }),
  // Nobody can connect any more where its socket was removed, such as by another container on one /dev/shm.
  whyHung: (scope, now) => whyStopped(scope, now) ?? whyUnreachable(scope),
  command: async (scope) => {
    const { paths, identities, machine } = scope.place
    const folder = inVolume(paths).cluster
    const scores = oomScores(machine.oomScoreAdj)
    const parameters = argumentsOf(scope.place)
    await endLeftovers(scope)
    await repairIfAsked(scope, parameters)
    return {
      argv: [`${paths.postgresBin}/postgres`, '-D', folder, ...parameters],
      // Each child of the postmaster writes the value there (Postgres, "Linux Memory Overcommit").
      env: {
        ...postgresEnvironment(scope.place),
        PG_OOM_ADJUST_FILE: '/proc/self/oom_score_adj',
        PG_OOM_ADJUST_VALUE: String(scores.worker),
      },
      oomScoreAdj: scores.service,
      user: identities.postgres,
      cwd: folder,
    }
  },
  probe: async (scope) => {
    const { system, place } = scope
    const phase = phaseOf(scope)
    if (phase === 'standby') return 'it replays a log and takes no writes yet (recovery.signal)'
    if (phase !== 'ready') return phase === undefined ? 'it has not begun' : `it is ${excerpt(phase, 40)}`
    try {
      // As anybody who is there in each cluster; the superuser would need its password,
      // which may not be set yet.
      await system.withClient([embeddedAs(place, appRole, superuserDatabase)], (client) =>
        client.query('SELECT 1'),
      )
    } catch (error) {
      if (!isRefused(error)) throw error
    }
    return undefined
  },
  lastUsedMs: ({ system, place }) =>
    system.withClient([embeddedAs(place, appRole, superuserDatabase)], async (client) => {
      const { rows } = await client.query<{ usedMs: number | null }>(lastUse)
      return rows[0]?.usedMs ?? 0
    }),
  crashHint,
  whyUnclean: (scope) => {
    try {
      return readControlFile(scope)?.isShutDown ? undefined : 'its data has to be recovered'
    } catch (error) {
      return (error as Error).message
    }
  },
})
