import { Backups } from '../../daemon/backups.ts'
import { Certificates } from '../../daemon/certificates.ts'
import { createHolding } from '../../daemon/holding.ts'
import type { Instance } from '../../daemon/instance.ts'
import { Keepers } from '../../daemon/keeper.ts'
import { PastKeeper } from '../../daemon/past.ts'
import { Finishing } from '../../daemon/finishing.ts'
import { UndoKeeper } from '../../daemon/undo.ts'
import { Updates } from '../../daemon/updates.ts'
import type { SupervisorError } from '../../errors.ts'
import type { Kernel } from '../../system/kernel.ts'
import { supervisorCommand } from './boot-again.ts'
import { createMemoryKeeper } from './memory.ts'
import type { Core } from './running.ts'

/**
 * The keepers of an instance, in the order in which they end, and those that others ask something of. `lost`
 * resolves when another run has taken the volume.
 */
export const createKeepers = ({ system, place, instance, config }: Core, kernel: Kernel) => {
  const tools = { system, place, instance, program: supervisorCommand() }
  const lost = Promise.withResolvers<SupervisorError>()
  const whenCleared = async (): Promise<void> => await instance.results['user-databases']?.ended
  const keepers = new Keepers()
  const resultsOf = (): Instance['results'] => instance.results
  keepers.add('boot', createHolding({ system, place, resultsOf, onLost: lost.resolve }))
  keepers.add('boot', new Certificates(system, instance, config.changes))
  const backups = keepers.add('ready', new Backups(tools))
  const updates = keepers.add('ready', new Updates(tools))
  const past = keepers.add('ready', new PastKeeper({ ...tools, whenCleared }))
  const undo = keepers.add('ready', new UndoKeeper({ ...tools, past }))
  keepers.add('ready', new Finishing(tools))
  keepers.add('ready', createMemoryKeeper(system, instance, kernel))
  return { keepers, backups, updates, past, undo, lost: lost.promise }
}
