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

const readText = (to: string | undefined, file: string | undefined, usage: Usage): string => {
  if ((to === undefined) === (file === undefined)) return usage('give either --to or --to-file')
  if (file !== undefined) return readFrom(file, usage)
  if (to !== '-') return to!
  return isatty(0) ? usage('standard input is a terminal: `… --to - < FILE`') : readFrom(0, usage)
}

/** It is checked as a setting is, of which nobody has typed the name. */
const parse = (text: string): DatabaseUrl => {
  try {
    return parseDatabaseUrl(text)
  } catch (error) {
    if (!(error instanceof SupervisorError)) throw error
    const { code, message, hint } = error
    throw new SupervisorError(code, message.replace('DATABASE_URL', 'the URL of the other server'), { hint })
  }
}

/** The URL of `--to` or of `--to-file`. */
export const readUrl = (
  { to, 'to-file': file }: { readonly to?: string; readonly 'to-file'?: string },
  usage: Usage,
): DatabaseUrl => parse(readText(to, file, usage))
