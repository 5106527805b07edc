import { inVolume } from '../place.ts'
import type { Scope } from '../unit.ts'

/**
 * Where the control file has the identifier of the cluster, its state, the value of that after a clean
 * shutdown, and the place in the log from which its last checkpoint is replayed (pg_control.h,
 * ControlFileData).
 */
const identifierAt = 0
const stateAt = 16
const shutDown = 1
const redoAt = 40
const limitBytes = 8192

type ControlFile = {
  readonly identifier: string
  readonly isShutDown: boolean
  readonly checkpoint: string | undefined
}

/**
 * What the control file of the cluster says; `undefined` where there is none.
 * Throws when it cannot be read.
 */
export const readControlFile = (
  { system, place }: Pick<Scope<never>, 'system' | 'place'>,
  folder = inVolume(place.paths).cluster,
): ControlFile | undefined => {
  const bytes = system.files.readForeign(`${folder}/global/pg_control`, limitBytes)
  if (bytes === undefined || bytes.length < stateAt + 4) return undefined
  return {
    identifier: String(bytes.readBigUInt64LE(identifierAt)),
    isShutDown: bytes.readUInt32LE(stateAt) === shutDown,
    checkpoint: bytes.length < redoAt + 8 ? undefined : String(bytes.readBigUInt64LE(redoAt)),
  }
}
