import { parseArgs } from 'node:util'
import { SupervisorError } from '../errors.ts'
import { stream } from './client.ts'

export const run = async (args: readonly string[]): Promise<number> => {
  let parsed
  try {
    parsed = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        follow: { type: 'boolean', short: 'f' },
        lines: { type: 'string', short: 'n', default: '100' },
      },
    })
  } catch (cause) {
    throw new SupervisorError('USAGE', `cannot show logs: ${(cause as Error).message}`, {
      hint: 'Type `supervisor logs --help`.',
    })
  }
  const {
    positionals: [unit, ...rest],
    values: { follow, lines },
  } = parsed
  if (rest.length > 0 || !/^[1-9]\d{0,4}$/.test(lines))
    throw new SupervisorError(
      'USAGE',
      `cannot show logs: ${rest.length > 0 ? 'more than one unit' : `-n ${lines} is not a number from 1 to 99999`}`,
      { hint: 'Type `supervisor logs --help`.' },
    )
  const query = new URLSearchParams({
    lines,
    ...(unit === undefined ? {} : { unit }),
    ...(follow ? { follow: '1' } : {}),
  })
  await stream(`/v1/logs?${query}`)
  return 0
}
