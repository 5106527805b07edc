import { imageNode, shim } from '../../system/paths.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** What starts this program once more, without its arguments. */
export const supervisorCommand = (): readonly [string, ...string[]] =>
  process.execPath === imageNode
    ? [shim]
    : [process.execPath, ...process.execArgv, ...process.argv.slice(1, 2)]

/** Starts over in the same process, with the settings that were restored. */
export const bootAgain = (env: Environment): never => {
  const [file, ...args] = [...supervisorCommand(), ...process.argv.slice(2)] as const
  return process.execve!(file, [file, ...args], env)
}
