import { SupervisorError } from '../errors.ts'
import { formatDatabaseUrl } from '../settings/database-url.ts'
import type { Configuration, InForce } from '../settings/configuration.ts'
import type { System } from '../system/ports.ts'
import type { Place } from '../units/place.ts'
import { letGo } from '../units/promotion.ts'
import { failureIn } from './command-failure.ts'

type Tools = {
  readonly system: System
  readonly place: Place
  /** What starts this program once more. */
  readonly program: readonly [string, ...string[]]
}

/** The kernel kills it before a service when memory runs out. */
const oomScoreAdj = 800

/** Throws where there is nothing to carry, or nowhere to carry it to. */
export const requireCarriable = (before: Configuration, after: Configuration): void => {
  if (before.database.kind === 'embedded' && after.database.kind === 'external') return
  throw new SupervisorError('PROMOTE_REFUSED', 'cannot copy the databases: only the embedded ones are copied')
}

/** How a change copies the databases: in a process of its own, which PID 1 outlives in any case. */
export const createCarrying = ({ system, place, program }: Tools) => ({
  carry: async ({ database }: InForce, seconds: number, signal: AbortSignal): Promise<void> => {
    if (database.kind !== 'external') return
    const env: Record<string, string> = {}
    for (const [name, value] of Object.entries(place.environment)) if (value !== undefined) env[name] = value
    const result = await system.runProgram(
      'promote',
      {
        argv: [...program, 'promote', '--copy', '--within', String(seconds)],
        env: { ...env, DATABASE_URL: formatDatabaseUrl(database) },
        cwd: '/',
        oomScoreAdj,
      },
      signal,
    )
    signal.throwIfAborted()
    const failure = failureIn(result)
    if (failure !== undefined)
      throw new SupervisorError(failure.code, failure.message, { hint: failure.hint })
  },
  letGo: () => letGo({ system, place }),
})

export type Carrying = ReturnType<typeof createCarrying>
