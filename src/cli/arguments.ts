import { parseArgs, type ParseArgsOptionsConfig } from 'node:util'
import { excerpt } from '../core/message.ts'
import { SupervisorError } from '../errors.ts'
import { didYouMean } from '../settings/near-names.ts'

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

/** Node's own words go on about what nobody wants. */
const whyRefused = ({ code, message }: NodeJS.ErrnoException, names: readonly string[]): string => {
  const option = /'(-.+?)'/.exec(message)?.[1]
  if (code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION' || option === undefined) return message
  return `there is no option ${excerpt(option, 80)}${didYouMean(option.replace(/^-+/, ''), names, '--')}`
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
    return usage(whyRefused(cause as Error, Object.keys(options)))
  }
}

/** Whether the one option of a command is given, which takes nothing else. */
export const readFlag = (command: string, args: readonly string[], name: string): boolean => {
  const usage: Usage = usageOf(command, `run \`${command}\``)
  const { positionals, values } = parseArguments(args, { [name]: { type: 'boolean' } }, usage)
  if (positionals.length > 0) usage(`it takes no ${excerpt(positionals[0]!, 80)}`)
  return values[name] === true
}

const limitSeconds = 86_400

/** What `--within` takes: how long requests may wait. */
export const readSeconds = (text: string, usage: Usage): number => {
  const seconds = Number(text)
  return /^\d+$/.test(text) && seconds > 0 && seconds <= limitSeconds
    ? seconds
    : usage(`--within takes seconds, from 1 to ${limitSeconds}`)
}
