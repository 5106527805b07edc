import { parseArgs, type ParseArgsOptionsConfig } from 'node:util'

/** Options and other arguments of a command. What Node does not take is refused as the command does it. */
export const parseArguments = <const Options extends ParseArgsOptionsConfig>(
  args: readonly string[],
  options: Options,
  refuse: (why: string) => never,
) => {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options })
  } catch (cause) {
    return refuse((cause as Error).message)
  }
}
