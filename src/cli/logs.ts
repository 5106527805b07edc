import { stream } from '../http/client.ts'
import { parseArguments, type Usage, usageOf } from './arguments.ts'

const usage: Usage = usageOf('logs', 'show logs')

const options = {
  follow: { type: 'boolean', short: 'f' },
  lines: { type: 'string', short: 'n', default: '100' },
} as const

/** Prints the last lines of the log, of one unit or of all, and with `--follow` those to come. */
export const run = async (args: readonly string[]): Promise<number> => {
  const {
    positionals: [unit, ...rest],
    values: { follow, lines },
  } = parseArguments(args, options, usage)
  if (rest.length > 0) return usage('more than one unit')
  if (!/^[1-9]\d{0,4}$/.test(lines)) return usage(`-n ${lines} is not a number from 1 to 99999`)
  const query = new URLSearchParams({ lines })
  if (unit !== undefined) query.set('unit', unit)
  if (follow) query.set('follow', '1')
  await stream(`/v1/logs?${query.toString()}`)
  return 0
}
