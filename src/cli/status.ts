import { ask } from '../http/client.ts'
import { parseArguments, type Usage, usageOf } from './arguments.ts'

const usage: Usage = usageOf('status', 'show the status')

export const run = async (args: readonly string[]): Promise<number> => {
  const { values, positionals } = parseArguments(args, { json: { type: 'boolean', default: false } }, usage)
  if (positionals.length > 0) usage(`there is nothing to say of ${positionals[0]!.slice(0, 80)} alone`)
  const { status, text } = await ask('GET', values.json ? '/v1/status' : '/v1/status?format=text')
  process.stdout.write(text)
  return status === 200 ? 0 : 1
}
