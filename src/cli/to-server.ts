import { readFileSync } from 'node:fs'
import { isatty } from 'node:tty'
import { SupervisorError } from '../errors.ts'
import { type DatabaseUrl, parseDatabaseUrl } from '../settings/database-url.ts'
import type { Usage } from './arguments.ts'

/** What the commands have in common that copy to another server. */

export const toServer = {
  to: { type: 'string' },
  'to-file': { type: 'string' },
  /** Requests wait 30 s before they get a page. The rest of that is for what comes after the copy. */
  within: { type: 'string', default: '20' },
} as const

const readFrom = (path: string | 0, usage: Usage): string => {
  let text: string
  try {
    text = readFileSync(path, 'utf8').trim()
  } catch (error) {
    return usage(`${path} cannot be read (${(error as NodeJS.ErrnoException).code})`)
  }
  if (text !== '') return text
  return usage(
    path === 0 ? 'standard input is empty: `docker exec` needs -i to pass it on' : `${path} is empty`,
  )
}

const readTo = (to: string, usage: Usage): string => {
  if (to !== '-') return to
  return isatty(0) ? usage('standard input is a terminal: `… --to - < FILE`') : readFrom(0, usage)
}

/** Checked as the setting is. Its name, which nobody typed, is left out of what is refused. */
const parse = (text: string): DatabaseUrl => {
  try {
    return parseDatabaseUrl(text)
  } catch (error) {
    if (!(error instanceof SupervisorError)) throw error
    const { code, message, hint } = error
    throw new SupervisorError(code, message.replace('DATABASE_URL', 'the URL of the other server'), { hint })
  }
}

type Values = { readonly to?: string; readonly 'to-file'?: string }

/**
 * The URL of `--to` or of `--to-file`; `undefined` where one of the other ways is taken that a command has.
 * Exactly one of them all must be given.
 */
export const findUrl = (
  { to, 'to-file': file }: Values,
  usage: Usage,
  others: Readonly<Record<string, boolean>>,
): DatabaseUrl | undefined => {
  const ways = { to: to !== undefined, 'to-file': file !== undefined, ...others }
  if (Object.values(ways).filter(Boolean).length !== 1) {
    const names = Object.keys(ways).map((name) => `--${name}`)
    return usage(`give one of ${names.slice(0, -1).join(', ')} and ${names.at(-1)}`)
  }
  if (file !== undefined) return parse(readFrom(file, usage))
  return to === undefined ? undefined : parse(readTo(to, usage))
}

/** The same where there is no other way. */
export const readUrl = (values: Values, usage: Usage): DatabaseUrl => findUrl(values, usage, {})!
