import { MiB } from '../core/amounts.ts'
import { reserveBytes } from '../core/space.ts'
import { inVolume, type Volume } from './place.ts'

/**
 * What makes an undo possible: a copy of the cluster (a base), and all of Postgres's log (WAL) since it was
 * begun. Postgres itself keeps the log, by `wal_keep_size`: nothing archives, so nothing can fail at it or
 * make the log grow. Of `UNDO_SPACE` one half is for log, the other for bases. Log that is more than its half
 * goes at the next checkpoint, the oldest first: the window shrinks. A base is of use as long as the file of
 * the log is there that it begins with.
 */

/** A copy of the cluster. Times are milliseconds since 1970. */
export type Base = {
  /** Of its file in the folder. */
  readonly name: string
  /** From when on one can go back with it: it was complete. */
  readonly endMs: number
  /** Where its log begins: as a position, and as the name of a file in `pg_wal`. */
  readonly startLsn: string
  readonly startFile: string
  readonly bytes: number
}

/** What a file of a table is: by database and file number, as the log names it. */
export type TableName = { readonly oid: number; readonly name: string }
export type Names = {
  readonly atMs: number
  /** Databases by OID. */
  readonly databases: Readonly<Record<string, string>>
  /** Tables by `DATABASE/FILE`, also of those that are gone. */
  readonly tables: Readonly<Record<string, TableName>>
}

/** MiB of `wal_keep_size`, by UNDO_SPACE and what is free. Where that is little, nothing is kept. */
export const walKeepOf = (spaceMiB: number, freeBytes: number | undefined): number =>
  freeBytes !== undefined && freeBytes < reserveBytes ? 0 : Math.floor(spaceMiB / 2)

/** Bytes that all bases may take together. */
export const baseBytesOf = (spaceMiB: number): number => Math.floor(spaceMiB / 2) * MiB

/** Whether it is time for another base: half of the log that is kept is newer than the last one. */
export const isBaseDue = (spaceMiB: number, sinceBytes: number | undefined): boolean =>
  sinceBytes === undefined || sinceBytes >= (walKeepOf(spaceMiB, undefined) * MiB) / 2

/** Which bases make room for one of about `nextBytes`: all but the newest, and that, too, if it must be. */
export const chooseObsolete = (
  bases: readonly Base[],
  nextBytes: number,
  limitBytes: number,
): readonly Base[] => {
  const [newest, ...older] = bases.toSorted((one, other) => other.endMs - one.endMs)
  return newest === undefined || newest.bytes + nextBytes <= limitBytes ? older : [newest, ...older]
}

const baseSuffix = '.json'
const parseBase = (text: string | undefined): readonly Base[] => {
  try {
    return text === undefined ? [] : [JSON.parse(text) as Base]
  } catch {
    return []
  }
}

/** All bases of the volume, the newest first. Only the supervisor's user writes there. */
export const listBases = ({ system: { files }, place }: Volume): readonly Base[] => {
  const { undo } = inVolume(place.paths)
  if (!files.isThere(undo)) return []
  return files
    .listFolder(undo)
    .filter((name) => name.startsWith('base-') && name.endsWith(baseSuffix))
    .flatMap((name) => parseBase(files.readIfThere(`${undo}/${name}`)))
    .filter(({ name }) => files.isThere(`${undo}/${name}`))
    .toSorted((one, other) => other.endMs - one.endMs)
}

/** Whether the log still reaches back to where it begins. */
export const isUsable = ({ system: { files }, place }: Volume, { startFile }: Base): boolean =>
  files.isThere(`${inVolume(place.paths).cluster}/pg_wal/${startFile}`)

/** Those that the log still reaches back to, the newest first. */
export const usableBases = (volume: Volume): readonly Base[] =>
  listBases(volume).filter((base) => isUsable(volume, base))

export const describedIn = ({ name }: Pick<Base, 'name'>): string => `${name}${baseSuffix}`

const noNames: Names = { atMs: 0, databases: {}, tables: {} }

/** What is known of names. There may be many tables. */
export const readNames = ({ system: { files }, place }: Volume): Names => {
  try {
    const text = files.readIfThere(`${inVolume(place.paths).undo}/names.json`, 64 * MiB)
    return text === undefined ? noNames : { ...noNames, ...(JSON.parse(text) as Names) }
  } catch {
    return noNames
  }
}
