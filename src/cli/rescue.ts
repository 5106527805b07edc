import { inSeconds } from '../core/amounts.ts'
import { takeOverCluster } from '../operations/rescue/adopt.ts'
import { findAll } from '../operations/rescue/found.ts'
import { salvage } from '../operations/rescue/salvage.ts'
import { foundInWords, salvagedInWords } from '../operations/rescue/words.ts'
import { SupervisorError } from '../errors.ts'
import type { OperationScope } from '../operations/scope.ts'
import { parseArguments, type Usage, usageOf } from './arguments.ts'
import { sayWhatNext, takeVolume } from './into-volume.ts'
import { openOperation, tell, untilStopped } from './operation.ts'

const usage: Usage = usageOf('rescue', 'rescue')

const options = {
  adopt: { type: 'boolean', default: false },
  host: { type: 'string' },
  replace: { type: 'boolean', default: false },
  salvage: { type: 'string' },
  'without-key': { type: 'boolean', default: false },
} as const

/** Saves what it can, and leaves its report beside. */
const save = async (scope: OperationScope, folder: string | undefined, to: string): Promise<number> => {
  if (!scope.system.files.isThere(to))
    return usage(`${to} is not there: mount a folder, \`-v ./saved:${to}\``)
  await takeVolume(scope)
  const salvaged = await untilStopped(salvage(scope, { folder, to, onStep: tell }))
  const report = `${salvagedInWords(salvaged)}\n`
  scope.system.files.writeWhole(`${to}/REPORT.txt`, report, 0o600)
  process.stdout.write(report)
  const lost = salvaged.pieces.filter(({ failure }) => failure !== undefined)
  if (lost.length === 0) return 0
  throw new SupervisorError(
    'CLUSTER_DAMAGED',
    `cannot save everything: ${lost.length} of ${salvaged.pieces.length} dumps failed`,
    { hint: `${to}/REPORT.txt names them; the others are whole. The cluster is as it was.` },
  )
}

/** Says what is in the volume and in what is mounted beside, or takes over the cluster of another image. */
export const run = async (args: readonly string[]): Promise<number> => {
  const {
    positionals: [folder, ...more],
    values: { adopt: isAdoption, host, replace, salvage: to, 'without-key': isWithoutKey },
  } = parseArguments(args, options, usage)
  if (more.length > 0) return usage('there are too many arguments')
  if (folder?.startsWith('/') === false) return usage(`${folder} is not an absolute path`)
  if (!isAdoption && (replace || isWithoutKey || host !== undefined))
    return usage('--replace, --host and --without-key go with --adopt')
  if (to !== undefined && (isAdoption || !to.startsWith('/')))
    return usage('--salvage wants the absolute path of a folder, and no --adopt')
  const scope = await openOperation()
  if (to !== undefined) return await save(scope, folder, to)
  if (!isAdoption) {
    process.stdout.write(`${foundInWords(await findAll(scope, folder))}\n`)
    return 0
  }
  const isAlone = await takeVolume(scope)
  const beganMs = scope.system.clock.elapsed()
  const { from, databases, kept, warnings } = await untilStopped(
    takeOverCluster(scope, { folder, host, mayReplace: replace, isWithoutKey, isAlone, onStep: tell }),
  )
  const tookMs = scope.system.clock.elapsed() - beganMs
  tell(
    `adopted: ${from}, which stays as it was, in ${inSeconds(tookMs)}; databases of people: ` +
      (databases.length === 0 ? 'none' : databases.join(', ')),
  )
  for (const warning of warnings) tell(warning)
  sayWhatNext(isAlone, kept)
  return 0
}
