import { SupervisorError } from '../errors.ts'
import { isServing, keepAwake } from '../http/client.ts'
import { exportTo } from '../operations/promote/export.ts'
import { sourceOf } from '../operations/promote/source.ts'
import { lockOperations } from '../operations/scope.ts'
import { parseArguments, readSeconds, type Usage, usageOf } from './arguments.ts'
import { openOperation, tell, untilStopped } from './operation.ts'
import { readUrl, toServer } from './to-server.ts'

const usage: Usage = usageOf('export', 'export')

/** Copies the installation to another server, for another Mathesar, and prints that one's settings. */
export const run = async (args: readonly string[]): Promise<number> => {
  const { positionals, values } = parseArguments(args, toServer, usage)
  if (positionals.length > 0) return usage('there are too many arguments')
  const url = readUrl(values, usage)
  const seconds = readSeconds(values.within, usage)
  const scope = await openOperation()
  if (!(await isServing()))
    throw new SupervisorError('DAEMON_UNREACHABLE', 'cannot export: the supervisor does not run here', {
      hint: 'Start the container, and type it there: `docker exec -i CONTAINER supervisor export …`.',
    })
  await keepAwake()
  lockOperations(scope)
  scope.system.log.addSecret(url.password)
  const moving = { ...scope, source: sourceOf(scope, scope.inForce.database) }
  const settings = await untilStopped(exportTo(moving, url, { say: tell, seconds }))
  process.stdout.write(settings)
  return 0
}
