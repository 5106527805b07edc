import { inVolume } from './place.ts'
import type { Scope } from './unit.ts'

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

/** What the volume remembers of its backups. Failures are not in it: a full volume could not take them. */
export type BackupRecord = {
  /** Since when archives are to be made by themselves, where none was made yet. */
  readonly sinceMs: number | undefined
  readonly made: MadeBackup | undefined
  readonly proved: ProvedBackup | undefined
  /** Mounted folders that have had an archive. */
  readonly folders: readonly string[]
}

type Where = Pick<Scope<never>, 'system' | 'place'>

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

/** Only the supervisor's user writes there, and each time all of it: what is no record is none of ours. */
export const readRecord = ({ system, place }: Where): BackupRecord => {
  const nothing: BackupRecord = { sinceMs: undefined, made: undefined, proved: undefined, folders: [] }
  try {
    const value: unknown = JSON.parse(system.files.readIfThere(inVolume(place.paths).backupRecord) ?? '{}')
    return isObject(value) ? { ...nothing, ...value } : nothing
  } catch {
    return nothing
  }
}

/** Changes parts of the record. */
export const changeRecord = (where: Where, change: (record: BackupRecord) => Partial<BackupRecord>): void => {
  const record = readRecord(where)
  const text = `${JSON.stringify({ ...record, ...change(record) }, null, 2)}\n`
  where.system.files.writeWhole(inVolume(where.place.paths).backupRecord, text, 0o600)
}
