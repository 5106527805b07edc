import { readSetup, type Setup } from '../daemon/config/boot-trial.ts'
import { environment } from '../system/environment.ts'
import { readPlace } from '../system/machine.ts'
import { requireOwner } from '../system/owner.ts'
import { readPaths } from '../system/paths.ts'
import { reads } from '../system/system.ts'
import { inRun, type Place } from '../units/place.ts'

/** Where a command is that reads the volume itself: as the supervisor's own user. */
export const readOwnPlace = (): Place => {
  requireOwner(inRun(readPaths(environment)).control)
  return readPlace(environment)
}

/** What the container is to be, for a command. */
export const readOwnSetup = async (): Promise<Setup> => await readSetup(reads, readOwnPlace())
