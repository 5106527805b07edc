import { requireAlone } from '../http/client.ts'
import { environment } from '../system/environment.ts'
import { catchSignals } from '../system/signals.ts'
import { type Usage, usageOf } from './arguments.ts'
import { runDaemon } from './run/daemon.ts'

const usage: Usage = usageOf('migrate', 'migrate')

/**
 * Brings the internal database and the connected ones to this Mathesar, and ends: what a platform runs once
 * a deploy. It is the one that migrates, whatever RUN_MIGRATIONS says to the containers that serve.
 */
export const run = async (args: readonly string[]): Promise<number> => {
  if (args.length > 0) return usage('it takes no arguments')
  const signals = catchSignals()
  await requireAlone(
    'migrate',
    'It migrates at each start: there is nothing to do. With RUN_MIGRATIONS=never, migrate in a container ' +
      'of its own: `docker run --rm -e DATABASE_URL=… -e SECRET_KEY=… IMAGE migrate`.',
  )
  return await runDaemon(
    signals,
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
