import { SupervisorError } from '../errors.ts'
import type { Database } from '../settings/database.ts'
import { type DatabaseUrl, formatDatabaseUrl } from '../settings/database-url.ts'
import type { Configuration, InForce } from '../settings/configuration.ts'
import { copyIn, forgetPromotion } from '../units/promotion.ts'
import { type JobTools, runBackgroundJob } from './background-job.ts'

/** The copy ends itself when it is late: what goes on for so much longer hangs. */
const hungAfterMs = 60_000

const serverOf = (database: Database): string =>
  database.kind === 'embedded' ? '' : `${database.host}:${database.port}`

/** Throws where there is nowhere to carry anything to. */
export const requireCarriable = (before: Configuration, after: Configuration): void => {
  const isElsewhere = serverOf(before.database) !== serverOf(after.database)
  if (after.database.kind === 'external' && isElsewhere) return
  throw new SupervisorError(
    'PROMOTE_REFUSED',
    'cannot copy the databases: they are copied to another external server',
  )
}

/** In the environment of the copy: the server that is left, unless it is the embedded one. */
export const leftVariable = 'SUPERVISOR_LEAVES'

/** With its sslmode: that of the file may be meant for the other server. */
const said = (url: DatabaseUrl): string => formatDatabaseUrl({ ...url, sslmode: url.sslmode ?? 'prefer' })

const failed = (error: Error): SupervisorError =>
  new SupervisorError('PROMOTE_FAILED', `cannot copy the databases: ${error.message}`, { cause: error })

/** How a change copies the databases: in a process of its own, which PID 1 outlives in any case. */
export const createCarrying = (tools: JobTools) => ({
  carry: async (
    { database: left }: InForce,
    { database }: InForce,
    seconds: number,
    signal: AbortSignal,
  ): Promise<string> => {
    if (database.kind !== 'external') throw new Error('there is nowhere to carry anything to')
    const from = left.kind === 'embedded' ? {} : { [leftVariable]: said(left) }
    const job = {
      name: 'promote',
      args: ['promote', '--copy', '--within', String(seconds)],
      env: { DATABASE_URL: said(database), ...from },
      niceness: 0,
      limitMs: seconds * 1000 + hungAfterMs,
    }
    const failure = await runBackgroundJob(tools, job, signal).catch((error: Error) => error)
    signal.throwIfAborted()
    if (failure instanceof Error) throw failed(failure)
    if (failure !== undefined)
      throw new SupervisorError(failure.code, failure.message, { hint: failure.hint })
    return copyIn(tools)
  },
  letGo: (carried: string | undefined) => forgetPromotion(tools, carried),
})

export type Carrying = ReturnType<typeof createCarrying>
