import { SupervisorError } from '../errors.ts'
import { change } from './config.ts'

export const run = async (args: readonly string[]): Promise<number> => {
  const unknown = args.find((arg) => arg !== '--dry-run')
  if (unknown !== undefined)
    throw new SupervisorError('USAGE', `cannot reload: ${unknown} is not an option`, {
      hint: 'Type `supervisor reload --help`.',
    })
  return await change({ reload: true, dryRun: args.includes('--dry-run') })
}
