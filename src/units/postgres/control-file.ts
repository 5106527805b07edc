import { inVolume } from '../place.ts'
import type { Scope } from '../unit.ts'

/**
 * Where the control file has the identifier of the cluster, its state, and the value of that after a clean
 * shutdown (pg_control.h, ControlFileData).
 */
const identifierAt = 0
const stateAt = 16
const shutDown = 1
const limitBytes = 8192

/**
 * What the control file of the cluster says; `undefined` where there is none.
 * Throws when it cannot be read.
 */
export const readControlFile = (
  { system, place }: Pick<Scope<never>, 'system' | 'place'>,
  folder = inVolume(place.paths).cluster,
): { readonly identifier: string; readonly isShutDown: boolean } | undefined => {
  const bytes = system.files.readForeign(`${folder}/global/pg_control`, limitBytes)
  if (bytes === undefined || bytes.length < stateAt + 4) return undefined
  return {
    identifier: String(bytes.readBigUInt64LE(identifierAt)),
    isShutDown: bytes.readUInt32LE(stateAt) === shutDown,
  }
}
