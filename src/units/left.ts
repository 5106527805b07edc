import { MiB } from '../core/amounts.ts'
import { isRecord } from '../core/record.ts'
import type { Database } from '../settings/database.ts'
import { parseDatabaseUrl } from '../settings/database-url.ts'
import { inVolume, type Volume } from './place.ts'

/**
 * A server that the installation leaves, or has left for another. Its databases take no writes from when the
 * last rows are carried over: what somebody wrote there would stay behind. They are opened again where that
 * server stays in force after all, or comes back into force.
 */
export type Left = {
  /** `null` is the embedded one. */
  readonly url: string | null
  readonly closed: readonly string[]
  /**
   * What a move still has to do on the other server, by its databases: commands that prove foreign keys, set
   * comments and limit sessions.
   */
  readonly toFinish: readonly { readonly name: string; readonly commands: readonly string[] }[]
}

/** As the volume has it: earlier versions wrote it so, and one of them may come back. */
type StoredLeft = Omit<Left, 'toFinish'> & { readonly toProve: Left['toFinish'] }

type Kept = Volume<'readIfThere' | 'writeWhole' | 'removeWhole'>

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((each) => typeof each === 'string')

const isFinishing = (value: unknown): boolean =>
  isRecord(value) && typeof value.name === 'string' && isTexts(value.commands)

const isStored = (value: unknown): value is StoredLeft =>
  isRecord(value) &&
  (value.url === null || typeof value.url === 'string') &&
  isTexts(value.closed) &&
  Array.isArray(value.toProve) &&
  value.toProve.every(isFinishing)

/** Foreign keys may be many. */
const limitBytes = 16 * MiB

const parse = (text: string): readonly Left[] => {
  try {
    const read: unknown = JSON.parse(text)
    const all = Array.isArray(read) ? read.filter(isStored) : []
    for (const { url } of all) if (url !== null) parseDatabaseUrl(url)
    return all.map(({ toProve, ...left }) => ({ ...left, toFinish: toProve }))
  } catch {
    return []
  }
}

/**
 * The servers that were left, the last of them at the end. Throws where the disk fails: what is closed would
 * stay so.
 */
export const readLeft = ({ system, place }: Kept): readonly Left[] =>
  parse(system.files.readIfThere(inVolume(place.paths).left, limitBytes) ?? '[]')

const storedOf = ({ toFinish, ...left }: Left): StoredLeft => ({ ...left, toProve: toFinish })

const write = ({ system, place }: Kept, all: readonly Left[]): void => {
  const { left } = inVolume(place.paths)
  if (all.length === 0) system.files.removeWhole(left)
  else system.files.writeWhole(left, `${JSON.stringify(all.map(storedOf))}\n`, 0o600)
}

const databaseOf = ({ url }: Left): Database =>
  url === null ? { kind: 'embedded' } : { kind: 'external', ...parseDatabaseUrl(url) }

/** Whoever connects to it, and how: a password may be another one since. */
const addressOf = (database: Database): string =>
  database.kind === 'embedded' ? '' : `${database.host}:${database.port}/${database.name}`

const isOf = (left: Left, database: Database): boolean => addressOf(databaseOf(left)) === addressOf(database)

const without = (volume: Kept, left: Left): readonly Left[] =>
  readLeft(volume).filter((each) => !isOf(each, databaseOf(left)))

/** Has it as the last that was left. */
export const rememberLeft = (volume: Kept, left: Left): void =>
  write(volume, [...without(volume, left), left])

export const forgetLeft = (volume: Kept, left: Left): void => write(volume, without(volume, left))

/** What was left of the server of that database, if it was. */
export const leftOf = (volume: Kept, database: Database): Left | undefined =>
  readLeft(volume).find((left) => isOf(left, database))

/** The server that was left for the one of that database, the last of them. */
export const leftFor = (volume: Kept, database: Database): Left | undefined =>
  readLeft(volume).findLast((left) => !isOf(left, database))
