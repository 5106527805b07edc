import { errorTable, SupervisorError } from '../errors.ts'
import { keepAwake } from '../http/client.ts'
import { runInTerminal } from '../system/terminal.ts'
import { administratorCommand, type AdministratorRequest } from '../units/mathesar/administrator.ts'
import { parseArguments } from './arguments.ts'
import { readAppScope } from './own.ts'
import { readPassword } from './password.ts'

const refuse = (why: string): never => {
  throw new SupervisorError('USAGE', `cannot act on administrators: ${why}`, {
    hint: 'Type `supervisor admin --help`.',
  })
}

const options = { email: { type: 'string' }, 'password-file': { type: 'string' } } as const

const readRequest = async (args: readonly string[]): Promise<AdministratorRequest> => {
  const { positionals, values } = parseArguments(args, options, refuse)
  const [action, username, ...more] = positionals
  if (more.length > 0) refuse('give one name, and no password: that is asked for')
  if (action === 'list') return username === undefined ? { action } : refuse('`list` takes no name')
  if (action !== 'create' && action !== 'reset') return refuse('say create, reset or list')
  if (username === undefined) return refuse(`say whom to ${action}`)
  const password = await readPassword(values['password-file'])
  return action === 'create'
    ? { action, username, email: values.email ?? '', password }
    : { action, username, password }
}

/** Creates administrators, gives them new passwords and lists them, by the rules of Django. */
export const run = async (args: readonly string[]): Promise<number> => {
  const request = await readRequest(args)
  const { argv, ...options } = administratorCommand(await readAppScope(), request)
  await keepAwake()
  const exitCode = await runInTerminal(argv, options)
  return exitCode === 0 ? 0 : errorTable.USAGE.exitCode // Django has said why.
}
