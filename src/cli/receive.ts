import { isatty } from 'node:tty'
import type { Bytes } from '../operations/archive/bytes.ts'
import { receive } from '../operations/move/receive.ts'
import { parseArguments, type Usage, usageOf } from './arguments.ts'
import { takeVolume } from './into-volume.ts'
import { openOperation, tell, untilStopped } from './operation.ts'

const usage: Usage = usageOf('receive', 'receive')

/** Takes in what `supervisor send` writes. */
export const run = async (args: readonly string[]): Promise<number> => {
  const { positionals } = parseArguments(args, {}, usage)
  if (positionals.length > 0) return usage('there are too many arguments')
  if (isatty(0) || isatty(1)) return usage('it is at a terminal, and not between the two ends of a pipe')
  const scope = await openOperation()
  if (!(await takeVolume(scope)))
    return usage('a supervisor runs here: give it a container and volume of its own')
  const answer = (word: string): void => void process.stdout.write(`${word}\n`)
  const { at } = await untilStopped(receive(scope, process.stdin as Bytes, { answer, say: tell }))
  tell(`received what was begun to be sent at ${at}, to its last change: it is in place`)
  tell('Start the container on this volume now.')
  return 0
}
