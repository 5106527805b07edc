import { commands } from './index.ts'

export const run = async (): Promise<number> => {
  const width = Math.max(...commands.map(({ name }) => name.length))
  const list = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`).join('\n')
  process.stdout.write(`Usage: supervisor COMMAND\n\n${list}\n\nsupervisor COMMAND --help says more.\n`)
  return 0
}
