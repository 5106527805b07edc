import { SupervisorError } from '../errors.ts'
import { formatDatabaseUrl } from '../settings/database-url.ts'
import type { Configuration, InForce } from '../settings/configuration.ts'
import { letGo } from '../units/promotion.ts'
import { failureIn } from './command-failure.ts'
import { type JobTools, runJob } from './own-job.ts'

/** The copy ends itself when it is late: what goes on for so much longer hangs. */
const hungAfterMs = 60_000

/** Throws where there is nothing to carry, or nowhere to carry it to. */
export const requireCarriable = (before: Configuration, after: Configuration): void => {
  if (before.database.kind === 'embedded' && after.database.kind === 'external') return
  throw new SupervisorError('PROMOTE_REFUSED', 'cannot copy the databases: only the embedded ones are copied')
}

const failed = (error: Error): SupervisorError =>
  new SupervisorError('PROMOTE_FAILED', `cannot copy the databases: ${error.message}`, { cause: error })

/** How a change copies the databases: in a process of its own, which PID 1 outlives in any case. */
export const createCarrying = (tools: JobTools) => ({
  carry: async ({ database }: InForce, seconds: number, signal: AbortSignal): Promise<void> => {
    if (database.kind !== 'external') return
    const job = {
      name: 'promote',
      args: ['promote', '--copy', '--within', String(seconds)],
      env: { DATABASE_URL: formatDatabaseUrl(database) },
      niceness: 0,
      limitMs: seconds * 1000 + hungAfterMs,
    }
    const result = await runJob(tools, job, signal).catch((error: Error) => error)
    signal.throwIfAborted()
    if (result instanceof Error) throw failed(result)
    const failure = failureIn(result)
    if (failure !== undefined)
      throw new SupervisorError(failure.code, failure.message, { hint: failure.hint })
  },
  letGo: () => letGo(tools),
})

export type Carrying = ReturnType<typeof createCarrying>
