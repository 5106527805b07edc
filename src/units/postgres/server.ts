import { excerpt } from '../../core/message.ts'
import { oomScores } from './sizing.ts'
import type { ServiceUnit } from '../../core/unit.ts'
import { asSuperuser, type Context, inRun, inVolume } from '../place.ts'
import { postgresEnvironment, readLockFile } from './cluster.ts'

/** Where the control file has the state of the cluster, after three numbers (pg_control.h, ControlFileData), and what it is after an ordered shutdown. */
const stateAt = 16
const controlFileBytes = 8192
const shutDown = 1

/**
 * Ends what a postmaster that was killed left behind: it keeps the shared memory, beside which no other may start. Most of it ends by
 * itself at once; what is busy would go on, for nobody. Each has a process group of its own, so that the kill of one reaches no other.
 */
const endLeftovers = async ({ orphans, kill, delay, log }: Context): Promise<void> => {
  for (const [signal, forMs] of [
    [undefined, 500],
    ['SIGQUIT', 500],
    ['SIGKILL', 5000],
  ] as const) {
    const left = orphans('postgres')
    if (left.length === 0) return
    if (signal) {
      log('warn', `${left.length} processes of the Postgres before still run: ${signal}`)
      for (const pid of left) kill(pid, signal)
    }
    for (const end = Date.now() + forMs; orphans('postgres').length > 0 && Date.now() < end;) await delay(20)
  }
}

/** The embedded Postgres server, in the foreground, on a unix socket alone. */
export const postgres: ServiceUnit<Context> = {
  name: 'postgres',
  kind: 'service',
  needs: ['cluster'],
  does: 'the embedded Postgres server',
  skip: ({ database }) => (database.kind === 'external' ? 'the database is external' : undefined),
  policy: ({ settings }) => ({
    // A checkpoint on a slow disk takes its time; a kill would have the next start recover.
    graceMs: Math.max(60_000, Number(settings.STOP_GRACE_PERIOD.value) * 400),
    shutdownMs: Number(settings.STOP_GRACE_PERIOD.value) * 400,
    stableMs: 30_000,
    giveUpAfter: 8,
    backoff: { baseMs: 100, maxMs: 10_000 },
    // Fast shutdown: SIGTERM, the smart one, would wait for every client to leave.
    stopSignal: 'SIGINT',
  }),
  command: async (context) => {
    const { paths, identities, machine } = context
    const folder = inVolume(paths).cluster
    await endLeftovers(context)
    return {
      argv: [
        `${paths.postgresBin}/postgres`,
        '-D',
        folder,
        '-c',
        `config_file=${inRun(paths).etc}/postgresql.conf`,
      ],
      // Each child of the postmaster writes the value there (Postgres, "Linux Memory Overcommit").
      env: {
        ...postgresEnvironment(context),
        PG_OOM_ADJUST_FILE: '/proc/self/oom_score_adj',
        PG_OOM_ADJUST_VALUE: String(oomScores(machine.oomScoreAdj).worker),
      },
      user: identities.postgres,
      cwd: folder,
    }
  },
  probe: async (context) => {
    // Line 8 of the lock file tells the phase (miscadmin.h, PM_STATUS_*) without a refused connection in the log.
    const phase = readLockFile(context.files, inVolume(context.paths).cluster)?.[7]?.trim()
    if (phase !== 'ready') return phase === undefined ? 'it has not begun' : `it is ${excerpt(phase, 40)}`
    try {
      await asSuperuser(context, (client) => client.query('SELECT 1'))
    } catch (error) {
      if ((error as { code?: string }).code !== '28P01') throw error // A wrong password: the server is up, and `database` says what is wrong.
    }
    return undefined
  },
  whyUnclean: ({ files, paths }) => {
    try {
      return files
        .readForeign(`${inVolume(paths).cluster}/global/pg_control`, controlFileBytes)
        ?.readUInt32LE(stateAt) === shutDown
        ? undefined
        : 'its data has to be recovered'
    } catch (error) {
      return (error as Error).message
    }
  },
}
