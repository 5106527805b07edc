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

/** Platforms that keep the entrypoint hand it `supervisor migrate`: as words, as one, or for a shell. */
export const commandOf = (argv: readonly string[]): readonly string[] => {
  const [first = '', option] = argv
  const isForShell = argv.length === 3 && /(^|\/)(ba|da)?sh$/.test(first) && option === '-c'
  const words = isForShell || argv.length === 1 ? argv.at(-1)!.split(' ') : argv
  return words[0] === 'supervisor' ? words.slice(1) : argv
}
