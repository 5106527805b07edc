import { type Usage, usageOf } from './arguments.ts'
import { change } from './config.ts'

const usage: Usage = usageOf('reload', 'reload')

export const run = async (args: readonly string[]): Promise<number> => {
  const unknown = args.find((arg) => arg !== '--dry-run')
  if (unknown !== undefined) return usage(`${unknown} is not an option`)
  return await change({ reload: true, dryRun: args.includes('--dry-run') })
}
