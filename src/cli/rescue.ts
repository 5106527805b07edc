import { takeOver } from '../operations/rescue/adopt.ts'
import { findAll } from '../operations/rescue/found.ts'
import { foundInWords } from '../operations/rescue/words.ts'
import { SupervisorError } from '../errors.ts'
import { parseArguments } from './arguments.ts'
import { sayWhatNext, takeVolume } from './into-volume.ts'
import { openOperation, tell, untilStopped } from './operation.ts'

const usage = (why: string): never => {
  throw new SupervisorError('USAGE', `cannot rescue: ${why}`, { hint: 'Type `supervisor rescue --help`.' })
}

const options = {
  adopt: { type: 'boolean', default: false },
  host: { type: 'string' },
  replace: { type: 'boolean', default: false },
  'without-key': { type: 'boolean', default: false },
} as const

/** Says what is in the volume and in what is mounted beside, or takes over the cluster of another image. */
export const run = async (args: readonly string[]): Promise<number> => {
  const {
    positionals: [folder, ...more],
    values: { adopt: isAdoption, host, replace, 'without-key': isWithoutKey },
  } = parseArguments(args, options, usage)
  if (more.length > 0) return usage('there are too many arguments')
  if (folder?.startsWith('/') === false) return usage(`${folder} is not an absolute path`)
  if (!isAdoption && (replace || isWithoutKey || host !== undefined))
    return usage('--replace, --host and --without-key go with --adopt')
  const scope = await openOperation()
  if (!isAdoption) {
    process.stdout.write(`${foundInWords(await findAll(scope, folder))}\n`)
    return 0
  }
  const isAlone = await takeVolume(scope)
  const beganMs = scope.system.clock.now()
  const { from, databases, kept, warnings } = await untilStopped(
    takeOver(scope, { folder, host, mayReplace: replace, isWithoutKey, isAlone, onStep: tell }),
  )
  const tookMs = scope.system.clock.now() - beganMs
  tell(
    `adopted: ${from}, which stays as it was, in ${(tookMs / 1000).toFixed(1)} s; databases of people: ` +
      (databases.length === 0 ? 'none' : databases.join(', ')),
  )
  for (const warning of warnings) tell(warning)
  sayWhatNext(isAlone, kept)
  return 0
}
