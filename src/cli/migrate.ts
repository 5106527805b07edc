import { SupervisorError } from '../errors.ts'
import { environment } from '../system/environment.ts'
import { catchSignals } from '../system/signals.ts'
import { runDaemon } from './run.ts'

/**
 * Brings the internal database and the connected ones to this Mathesar, and ends: what a platform runs once
 * a deploy. It is the one that migrates, whatever RUN_MIGRATIONS says to the containers that serve.
 */
export const run = async (args: readonly string[]): Promise<number> => {
  if (args.length > 0)
    throw new SupervisorError('USAGE', 'cannot migrate: it takes no arguments', {
      hint: 'Type `supervisor migrate --help`.',
    })
  return await runDaemon(
    catchSignals(),
    { ...environment, RUN_MIGRATIONS: 'here' },
    {
      until: {
        unit: 'user-databases',
        whenCutOff: 'MIGRATIONS_FAILED',
        act: async ({ system, results }) => {
          await results['user-databases']?.ended
          system.log.say('info', 'the internal database is at this version of Mathesar')
        },
      },
    },
  )
}
