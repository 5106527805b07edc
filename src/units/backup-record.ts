import { isRecord } from '../core/record.ts'
import type { Identity } from '../system/identity.ts'
import { inVolume } from './place.ts'
import type { Where } from './unit.ts'

/** An archive that was kept. Times are milliseconds since 1970. */
export type MadeBackup = {
  readonly name: string
  /** When it was begun, which is the state that it has, and how long it took. */
  readonly atMs: number
  readonly tookMs: number
  readonly bytes: number
  /** The places that have it. */
  readonly places: readonly string[]
}

export type ProvedBackup = {
  readonly name: string
  readonly atMs: number
  /** From the archive to a server that answers. */
  readonly restoreMs: number
}

/** An archive of a chain. */
export type Link = { readonly name: string; readonly atMs: number; readonly bytes: number }

/** What the next backup of the schedule may build on: a full archive, and those with what changed since. */
export type Chain = {
  /** From the full one on. */
  readonly links: readonly [full: Link, ...since: Link[]]
  /** Of the cluster. */
  readonly identifier: string
  /** Where the log begins that the last one has. */
  readonly start: LogStart
  /** How they are encrypted: not at all, with the passphrase, or for these public keys. */
  readonly lock: string
}

/** A place in the log of Postgres. */
export type LogStart = { readonly timeline: number; readonly lsn: string }

/** What the archives of a volume are called by, which is the one with this lock file: a copy has another. */
type ArchiveOwner = { readonly letters: string; readonly lock: Identity }

/** What the volume remembers of its backups. Failures are not in it: a full volume could not take them. */
export type BackupRecord = {
  /** Since when archives are to be made by themselves, where none was made yet. */
  readonly sinceMs: number | undefined
  readonly made: MadeBackup | undefined
  readonly proved: ProvedBackup | undefined
  readonly chain: Chain | undefined
  /** Mounted folders that have had an archive. */
  readonly folders: readonly string[]
  readonly owner: ArchiveOwner | undefined
}

const nothing: BackupRecord = {
  sinceMs: undefined,
  made: undefined,
  proved: undefined,
  chain: undefined,
  folders: [],
  owner: undefined,
}

const readText = ({ system, place }: Where): string | undefined => {
  try {
    return system.files.readIfThere(inVolume(place.paths).backupRecord)
  } catch {
    return undefined
  }
}

/** Only the supervisor's user writes there, and each time all of it: anything else is not ours. */
const parseRecord = (text = '{}'): BackupRecord => {
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? { ...nothing, ...value } : nothing
  } catch {
    return nothing
  }
}

export const readRecord = (where: Where): BackupRecord => parseRecord(readText(where))

/** Changes parts of the record. */
export const changeRecord = (where: Where, change: (record: BackupRecord) => Partial<BackupRecord>): void => {
  const path = inVolume(where.place.paths).backupRecord
  let isWritten = false
  while (!isWritten) {
    const before = readText(where)
    const record = parseRecord(before)
    const text = `${JSON.stringify({ ...record, ...change(record) }, null, 2)}\n`
    // The daemon and a command may do so at once: what the other one has written meanwhile stays.
    isWritten = where.system.files.writeWhole(path, text, 0o600, () => readText(where) === before)
  }
}
