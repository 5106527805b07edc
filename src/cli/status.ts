import { ask } from '../http/client.ts'

export const run = async (args: readonly string[]): Promise<number> => {
  const { status, text } = await ask('GET', args.includes('--json') ? '/v1/status' : '/v1/status?format=text')
  process.stdout.write(text)
  return status === 200 ? 0 : 1
}
