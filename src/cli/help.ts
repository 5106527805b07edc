import { commands, findCommand } from './index.ts'

export const run = async ([name]: readonly string[]): Promise<number> => {
  const command = name === undefined ? undefined : findCommand(name)
  if (command !== undefined) {
    process.stdout.write(`${command.help}\n`)
    return 0
  }
  const width = Math.max(...commands.map(({ name }) => name.length))
  const list = commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`).join('\n')
  process.stdout.write(`Usage: supervisor COMMAND\n\n${list}\n\nsupervisor COMMAND --help says more.\n`)
  return 0
}
