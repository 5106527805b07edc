import { readFileSync } from 'node:fs'
import { isatty } from 'node:tty'
import { printable } from '../core/message.ts'
import { SupervisorError } from '../errors.ts'
import { ask } from '../http/client.ts'
import { carry } from '../operations/promote/carry.ts'
import { promote, returnBack } from '../operations/promote/promote.ts'
import { lockOperations } from '../operations/scope.ts'
import { parseDatabaseUrl } from '../settings/database-url.ts'
import type { DescribedSetting } from '../settings/configuration.ts'
import { parseArguments } from './arguments.ts'
import { change as changeSettings } from './config.ts'
import { isServing, openOperation, tell, untilStopped } from './operation.ts'

const usage = (why: string): never => {
  throw new SupervisorError('USAGE', `cannot promote: ${why}`, { hint: 'Type `supervisor promote --help`.' })
}

const options = {
  to: { type: 'string' },
  'to-file': { type: 'string' },
  back: { type: 'boolean', default: false },
  within: { type: 'string' },
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

/** Requests wait 30 s before they get a page. The rest of that is for what comes after the copy. */
const usualSeconds = 20
const limitSeconds = 86_400

const readSeconds = (text: string | undefined): number => {
  if (text === undefined) return usualSeconds
  const seconds = Number(text)
  return /^\d+$/.test(text) && seconds > 0 && seconds <= limitSeconds
    ? seconds
    : usage(`--within takes seconds, from 1 to ${limitSeconds}`)
}

/** Runs within a change of the settings, which goes on once it has ended well. */
const copy = async (seconds: number): Promise<number> => {
  const scope = await openOperation()
  const warnings = await untilStopped(carry(scope, { say: tell, seconds }))
  for (const what of warnings) tell(`not carried: ${what}`)
  return 0
}

const isPinned = async (): Promise<boolean> => {
  const { settings } = JSON.parse((await ask('GET', '/v1/config')).text) as {
    readonly settings: readonly DescribedSetting[]
  }
  return settings.some(({ name, pinned }) => name === 'DATABASE_URL' && pinned)
}

/** What the copy said last, in a process of its own. */
const tellNotCarried = async (): Promise<void> => {
  const { text } = await ask('GET', '/v1/logs?lines=1000')
  const lines = text.split('\n').flatMap((line) => / promote +(.*)/.exec(line)?.[1] ?? [])
  const last = lines.findLastIndex((line) => line.startsWith('copying '))
  for (const line of lines.slice(last + 1)) if (line.startsWith('not carried: ')) tell(printable(line))
}

/** Moves to an external Postgres, or back. */
export const run = async (args: readonly string[]): Promise<number> => {
  const { positionals, values } = parseArguments(args, options, usage)
  const { to, back, 'to-file': file } = values
  if (positionals.length > 0) return usage('there are too many arguments')
  if (values.copy) return await copy(readSeconds(values.within))
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
    const change = async (): Promise<void> => void (await changeSettings({ set: { DATABASE_URL: null } }))
    await returnBack(scope, { say: tell, change })
    return 0
  }
  const carries = readSeconds(values.within)
  scope.system.log.addSecret(url.password)
  const stopped = new AbortController()
  const change = async (text: string): Promise<void> =>
    void (await changeSettings({ set: { DATABASE_URL: text }, carries }))
  await untilStopped(promote(scope, url, { say: tell, change, signal: stopped.signal }))
  await tellNotCarried()
  return 0
}
