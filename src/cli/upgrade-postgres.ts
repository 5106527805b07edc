import { inSeconds } from '../core/amounts.ts'
import { upgradePostgres } from '../operations/majors/upgrade.ts'
import { type Usage, usageOf } from './arguments.ts'
import { sayWhatNext, takeVolume } from './into-volume.ts'
import { openOperation, tell, untilStopped } from './operation.ts'

const usage: Usage = usageOf('upgrade-postgres', 'upgrade')

/** Brings the cluster of the volume to the Postgres of this image. */
export const run = async (args: readonly string[]): Promise<number> => {
  if (args.length > 0) return usage('it takes no arguments')
  const scope = await openOperation()
  const isAlone = await takeVolume(scope)
  const beganMs = scope.system.clock.elapsed()
  const { from, to, kept } = await untilStopped(upgradePostgres(scope, { isAlone, onStep: tell }))
  const tookMs = scope.system.clock.elapsed() - beganMs
  tell(`upgraded: Postgres ${from} → ${to}, in ${inSeconds(tookMs)}`)
  sayWhatNext(isAlone, kept)
  return 0
}
