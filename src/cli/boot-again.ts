import { imageNode, shim } from '../system/paths.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** Starts over in the same process, with the settings that were restored. */
export const bootAgain = (env: Environment): never => {
  const [file, ...args] =
    process.execPath === imageNode
      ? [shim, ...process.argv.slice(2)]
      : [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  return process.execve!(file, [file, ...args], env)
}
