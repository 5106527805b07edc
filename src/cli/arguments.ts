import { parseArgs, type ParseArgsOptionsConfig } from 'node:util'
import { SupervisorError } from '../errors.ts'

/** Refuses what was typed, and says why. */
export type Usage = (why: string) => never

/** That of one command, as in "cannot back up: why". */
export const usageOf =
  (command: string, what: string): Usage =>
  (why) => {
    throw new SupervisorError('USAGE', `cannot ${what}: ${why}`, {
      hint: `Type \`supervisor ${command} --help\`.`,
    })
  }

/** Options and other arguments of a command. What Node does not take is refused as the command does it. */
export const parseArguments = <const Options extends ParseArgsOptionsConfig>(
  args: readonly string[],
  options: Options,
  usage: Usage,
) => {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options })
  } catch (cause) {
    return usage((cause as Error).message)
  }
}

const limitSeconds = 86_400

/** What `--within` takes: how long requests may wait. */
export const readSeconds = (text: string, usage: Usage): number => {
  const seconds = Number(text)
  return /^\d+$/.test(text) && seconds > 0 && seconds <= limitSeconds
    ? seconds
    : usage(`--within takes seconds, from 1 to ${limitSeconds}`)
}
