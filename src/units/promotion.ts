import { isRecord } from '../core/record.ts'
import { SupervisorError } from '../errors.ts'
import { inVolume, type Volume } from './place.ts'

/**
 * What was begun on another server and is not in force. It is in the volume from before the first database is
 * made there, up to the moment before that server is in force. What is marked there may be removed as long as
 * the volume knows the same mark: never once people may have worked on it.
 */
type Promotion = {
  /** What the comments of roles and databases there end with. */
  readonly mark: string
  readonly host: string
  readonly port: number
  /** The server that is left meanwhile, unless that is the embedded one. */
  readonly from?: Address
  /** Roles that have a password there which the server that is left does not show. */
  readonly knownPasswords?: readonly string[]
  /** What is there already: a copy of the databases as they were at a moment. */
  readonly copies?: readonly Copied[]
}

type Address = { readonly host: string; readonly port: number; readonly name: string }

/** The copy of a database as it was at a moment. */
export type Copied = {
  readonly name: string
  /** By which the database can be read as it was, while who made the copy lives. */
  readonly snapshot: string
  /** Of the session that holds it. */
  readonly pid: number
  /** Every transaction before this one had ended at that moment. */
  readonly oldest: string
  /** Of the dump of its schema and the numbers of columns, a hash. */
  readonly shape: string
  /** Where in that dump begin keys and indexes, and what is not there yet. */
  readonly keysAt: number
  readonly restAt: number
  /** Which table had each name then, and in which file. */
  readonly files: Readonly<Record<string, string>>
}

type Kept = Volume<'readIfThere' | 'writeWhole' | 'removeWhole'>

const isPromotion = (value: unknown): value is Promotion =>
  isRecord(value) &&
  typeof value.mark === 'string' &&
  typeof value.host === 'string' &&
  typeof value.port === 'number' &&
  (value.copies === undefined || Array.isArray(value.copies))

export const readPromotion = ({ system, place }: Kept): Promotion | undefined => {
  const text = system.files.readIfThere(inVolume(place.paths).promotion)
  if (text === undefined) return undefined
  try {
    const read: unknown = JSON.parse(text)
    return isPromotion(read) ? read : undefined
  } catch {
    return undefined
  }
}

export const writePromotion = ({ system, place }: Kept, promotion: Promotion): void => {
  system.files.writeWhole(inVolume(place.paths).promotion, `${JSON.stringify(promotion)}\n`, 0o600)
}

/** Whether that is the server which would be left, and is in force as before. */
export const isLeaving = (volume: Kept, database: Address): boolean => {
  const from = readPromotion(volume)?.from
  return from?.host === database.host && from.port === database.port && from.name === database.name
}

/** Tells one copy from another. */
export const copyIn = (volume: Kept): string => JSON.stringify(readPromotion(volume)?.copies ?? [])

/**
 * From here on nothing on that server may be removed. Returns what takes this back. `carried` is the copy
 * that is to be in force: whoever typed the same again meanwhile has begun with another one.
 */
export const forgetPromotion = (volume: Kept, carried?: string): (() => void) => {
  const promotion = readPromotion(volume)
  if (carried !== undefined && carried !== copyIn(volume))
    throw new SupervisorError('PROMOTE_FAILED', 'cannot move to that server: another promotion has begun')
  if (promotion === undefined) return () => {}
  volume.system.files.removeWhole(inVolume(volume.place.paths).promotion)
  return () => writePromotion(volume, promotion)
}
