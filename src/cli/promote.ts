import { readFileSync } from 'node:fs'
import { isatty } from 'node:tty'
import { SupervisorError } from '../errors.ts'
import { ask } from '../http/client.ts'
import { carry } from '../operations/promote/carry.ts'
import { promote, returnBack } from '../operations/promote/promote.ts'
import { lockOperations } from '../operations/scope.ts'
import { parseDatabaseUrl } from '../settings/database-url.ts'
import type { DescribedSetting } from '../settings/configuration.ts'
import { parseArguments } from './arguments.ts'
import { change } from './config.ts'
import { isServing, openOperation, tell, untilStopped } from './operation.ts'

const usage = (why: string): never => {
  throw new SupervisorError('USAGE', `cannot promote: ${why}`, { hint: 'Type `supervisor promote --help`.' })
}

const options = {
  to: { type: 'string' },
  'to-file': { type: 'string' },
  back: { type: 'boolean', default: false },
  copy: { type: 'boolean', default: false },
} as const

const readFrom = (path: string | 0): string => {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    return usage(`${path} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
}

const readUrl = (to: string | undefined, file: string | undefined): string => {
  if ((to === undefined) === (file === undefined)) return usage('give either --to or --to-file')
  if (file !== undefined) return readFrom(file)
  if (to !== '-') return to!
  return isatty(0) ? usage('standard input is a terminal: `… promote --to - < FILE`') : readFrom(0)
}

/** Runs within a change of the settings, which goes on once it has ended well. */
const copy = async (): Promise<number> => {
  const scope = await openOperation()
  const warnings = await untilStopped(carry(scope, tell))
  for (const what of warnings) tell(`not carried: ${what}`)
  return 0
}

const isPinned = async (): Promise<boolean> => {
  const { settings } = JSON.parse((await ask('GET', '/v1/config')).text) as {
    readonly settings: readonly DescribedSetting[]
  }
  return settings.some(({ name, pinned }) => name === 'DATABASE_URL' && pinned)
}

const set = (url: string | null) => async (): Promise<void> => {
  await change({ set: { DATABASE_URL: url }, ...(url === null ? {} : { carries: true }) })
}

/** Moves to an external Postgres, or back. */
export const run = async (args: readonly string[]): Promise<number> => {
  const { positionals, values } = parseArguments(args, options, usage)
  const { to, back, 'to-file': file } = values
  if (positionals.length > 0) return usage('there are too many arguments')
  if (values.copy) return await copy()
  if (back && (to ?? file) !== undefined) return usage('give --to or --back')
  const url = back ? undefined : parseDatabaseUrl(readUrl(to, file))
  const scope = await openOperation()
  if (!(await isServing()))
    throw new SupervisorError('DAEMON_UNREACHABLE', 'cannot promote: the supervisor does not run here', {
      hint: 'Start the container, and type it there: `docker exec -i CONTAINER supervisor promote …`.',
    })
  if (await isPinned())
    throw new SupervisorError(
      'SETTING_PINNED',
      'cannot promote: the container was started with DATABASE_URL in its environment, which wins',
    )
  lockOperations(scope)
  if (url === undefined) {
    await returnBack(scope, { say: tell, change: set(null) })
    return 0
  }
  scope.system.log.addSecret(url.password)
  const stopped = new AbortController()
  await untilStopped(
    promote(scope, url, { say: tell, change: (text) => set(text)(), signal: stopped.signal }),
  )
  return 0
}
