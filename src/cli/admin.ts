import { errorTable } from '../errors.ts'
import { didYouMean } from '../settings/near-names.ts'
import { runInTerminal } from '../system/terminal.ts'
import { administratorCommand, type AdministratorRequest } from '../units/mathesar/administrator.ts'
import { parseArguments, type Usage, usageOf } from './arguments.ts'
import { readAppScope, wakeDatabase } from './own.ts'
import { readPassword } from './password.ts'

const usage: Usage = usageOf('admin', 'act on administrators')

const options = { email: { type: 'string' }, 'password-file': { type: 'string' } } as const

const readRequest = async (args: readonly string[]): Promise<AdministratorRequest> => {
  const { positionals, values } = parseArguments(args, options, usage)
  const [action, username, ...more] = positionals
  if (more.length > 0) usage('give one name, and no password: that is asked for')
  if (action === 'list') return username === undefined ? { action } : usage('`list` takes no name')
  if (action !== 'create' && action !== 'reset')
    return usage(`say create, reset or list${didYouMean(action ?? '', ['create', 'reset', 'list'])}`)
  if (username === undefined) return usage(`say whom to ${action}`)
  const password = await readPassword(values['password-file'])
  return action === 'create'
    ? { action, username, email: values.email ?? '', password }
    : { action, username, password }
}

/** Creates administrators, gives them new passwords and lists them, by the rules of Django. */
export const run = async (args: readonly string[]): Promise<number> => {
  const request = await readRequest(args)
  const scope = await readAppScope()
  await wakeDatabase(scope, 'act on administrators', 'admin …')
  const { argv, ...options } = administratorCommand(scope, request)
  const exitCode = await runInTerminal(argv, options)
  return exitCode === 0 ? 0 : errorTable.USAGE.exitCode // Django has said why.
}
