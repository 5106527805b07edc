import { inVolume } from '../place.ts'
import type { Where } from '../unit.ts'
import { formatLsn } from './lsn.ts'

/**
 * Where the control file has the identifier of the cluster, its state, the value of that after a clean
 * shutdown, and its last checkpoint, with the place in the log from which that is replayed (pg_control.h,
 * ControlFileData).
 */
const identifierAt = 0
const stateAt = 16
const shutDown = 1
const checkpointAt = 32
const redoAt = 40
const checkpointEnd = 128
const limitBytes = 8192

type ControlFile = {
  readonly identifier: string
  readonly isShutDown: boolean
  readonly checkpoint: string | undefined
  /** All that it says of the last checkpoint, to be compared, and where in the log that is: "0/3000028". */
  readonly last: { readonly lsn: string; readonly hex: string } | undefined
}

const lastOf = (bytes: Buffer): ControlFile['last'] => {
  const lsn = formatLsn(Number(bytes.readBigUInt64LE(checkpointAt)))
  return { lsn, hex: bytes.toString('hex', checkpointAt, checkpointEnd) }
}

const pathIn = (folder: string): string => `${folder}/global/pg_control`

/**
 * Calls `act` soon after each write to the control file that is there now. Returns what ends that, and
 * whether it is still that file; `undefined` where nobody would tell.
 */
export const whenControlFileWritten = (
  { system, place }: Where,
  act: () => void,
): { readonly end: () => void; readonly isThere: () => boolean } | undefined => {
  const path = pathIn(inVolume(place.paths).cluster)
  const inodeOf = (): string | undefined => system.files.identityOf(path)?.inode
  const inode = inodeOf()
  const end = inode === undefined ? undefined : system.whenWritten(path, act)
  return end && { end, isThere: () => inodeOf() === inode }
}

/** When it was last written (ms since 1970). */
export const controlFileChangedMs = ({ system, place }: Where): number | undefined =>
  system.files.statOf(pathIn(inVolume(place.paths).cluster))?.changedMs

/**
 * What the control file of the cluster says; `undefined` where there is none.
 * Throws when it cannot be read.
 */
export const readControlFile = (
  { system, place }: Where,
  folder = inVolume(place.paths).cluster,
): ControlFile | undefined => {
  const bytes = system.files.readForeign(pathIn(folder), limitBytes)
  if (bytes === undefined || bytes.length < stateAt + 4) return undefined
  return {
    identifier: String(bytes.readBigUInt64LE(identifierAt)),
    isShutDown: bytes.readUInt32LE(stateAt) === shutDown,
    last: bytes.length < checkpointEnd ? undefined : lastOf(bytes),
    checkpoint: bytes.length < redoAt + 8 ? undefined : String(bytes.readBigUInt64LE(redoAt)),
  }
}
