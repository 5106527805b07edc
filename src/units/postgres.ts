import type { ServiceUnit } from '../core/unit.ts'
import { asSuperuser, type Context, inRun, inVolume } from './context.ts'
import { postgresEnvironment } from './cluster.ts'

/** Where the control file has the state of the cluster, after three numbers (pg_control.h, ControlFileData), and what it is after an ordered shutdown. */
const stateAt = 16
const shutDown = 1

/** The embedded Postgres server, in the foreground, on a unix socket alone. */
export const postgres: ServiceUnit<Context> = {
  name: 'postgres',
  kind: 'service',
  needs: ['cluster'],
  does: 'the embedded Postgres server',
  skip: ({ database }) => (database.kind === 'external' ? 'the database is external' : undefined),
  policy: ({ settings }) => ({
    graceMs: Number(settings.STOP_GRACE_PERIOD.value) * 400,
    stableMs: 30_000,
    giveUpAfter: 8,
    backoff: { baseMs: 100, maxMs: 10_000 },
    // Fast shutdown: SIGTERM, the smart one, would wait for every client to leave.
    stopSignal: 'SIGINT',
  }),
  command: async (context) => {
    const { paths, identities } = context
    const folder = inVolume(paths).cluster
    return { argv: [`${paths.postgresBin}/postgres`, '-D', folder, '-c', `config_file=${inRun(paths).etc}/postgresql.conf`], env: postgresEnvironment(context), user: identities.postgres, cwd: folder }
  },
  probe: async (context) => {
    // Line 8 of the lock file tells the phase (miscadmin.h, PM_STATUS_*) without a refused connection in the log.
    const phase = context.files.readIfThere(`${inVolume(context.paths).cluster}/postmaster.pid`)?.split('\n')[7]?.trim()
    if (phase !== 'ready') return phase === undefined ? 'it has not begun' : `it is ${phase}`
    try {
      await asSuperuser(context, 'postgres', (client) => client.query('SELECT 1'))
    } catch (error) {
      if ((error as { code?: string }).code !== '28P01') throw error // A wrong password: the server is up, and `database` says what is wrong.
    }
    return undefined
  },
  whyUnclean: ({ files, paths }) => {
    try {
      return files.readBytes(`${inVolume(paths).cluster}/global/pg_control`).readUInt32LE(stateAt) === shutDown ? undefined : 'its data has to be recovered'
    } catch (error) {
      return (error as Error).message
    }
  },
}
