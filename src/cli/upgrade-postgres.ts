import { SupervisorError } from '../errors.ts'
import { upgradePostgres } from '../operations/majors/upgrade.ts'
import { sayWhatNext, takeVolume } from './into-volume.ts'
import { openOperation, tell, untilStopped } from './operation.ts'

/** Brings the cluster of the volume to the Postgres of this image. */
export const run = async (args: readonly string[]): Promise<number> => {
  if (args.length > 0)
    throw new SupervisorError('USAGE', 'cannot upgrade: it takes no arguments', {
      hint: 'Type `supervisor upgrade-postgres --help`.',
    })
  const scope = await openOperation()
  const isAlone = await takeVolume(scope)
  const beganMs = scope.system.clock.now()
  const { from, to, kept } = await untilStopped(upgradePostgres(scope, { isAlone, onStep: tell }))
  const tookMs = scope.system.clock.now() - beganMs
  tell(`upgraded: Postgres ${from} → ${to}, in ${(tookMs / 1000).toFixed(1)} s`)
  sayWhatNext(isAlone, kept)
  return 0
}
