import { errorTable } from '../errors.ts'
import { didYouMean } from '../settings/near-names.ts'
import { runInTerminal } from '../system/terminal.ts'
import { administratorCommand, type AdministratorRequest } from '../units/mathesar/administrator.ts'
import { parseArguments, type Usage, usageOf } from './arguments.ts'
import { readAppScope, wakeDatabase } from './own.ts'
import { readPassword } from './password.ts'

const usage: Usage = usageOf('admin', 'act on administrators')

const options = { email: { type: 'string' }, 'password-file': { type: 'string' } } as const

type Wanted =
  | { readonly action: 'list' }
  | { readonly action: 'create' | 'reset'; readonly username: string; readonly email: string }

const readWanted = (positionals: readonly string[], email = ''): Wanted => {
  const [action, username, ...more] = positionals
  if (more.length > 0) usage('give one name, and no password: that is asked for')
  if (action === 'list') return username === undefined ? { action } : usage('`list` takes no name')
  if (action !== 'create' && action !== 'reset')
    return usage(`say create, reset or list${didYouMean(action ?? '', ['create', 'reset', 'list'])}`)
  return username === undefined ? usage(`say whom to ${action}`) : { action, username, email }
}

const askFor = async (wanted: Wanted, passwordFile: string | undefined): Promise<AdministratorRequest> => {
  if (wanted.action === 'list') return wanted
  const { action, username, email } = wanted
  const password = await readPassword(passwordFile)
  return action === 'create' ? { action, username, email, password } : { action, username, password }
}

/** Creates administrators, gives them new passwords and lists them, by the rules of Django. */
export const run = async (args: readonly string[]): Promise<number> => {
  const { positionals, values } = parseArguments(args, options, usage)
  const wanted = readWanted(positionals, values.email)
  const scope = await readAppScope()
  await wakeDatabase(scope, 'act on administrators', 'admin …') // Before anybody types a password in vain.
  const { argv, ...how } = administratorCommand(scope, await askFor(wanted, values['password-file']))
  const exitCode = await runInTerminal(argv, how)
  return exitCode === 0 ? 0 : errorTable.USAGE.exitCode // Django has said why.
}
