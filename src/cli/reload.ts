import { readFlag } from './arguments.ts'
import { change } from './config.ts'

export const run = async (args: readonly string[]): Promise<number> =>
  await change({ reload: true, dryRun: readFlag('reload', args, 'dry-run') })
