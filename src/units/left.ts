import type { Database } from '../settings/database.ts'
import { parseDatabaseUrl } from '../settings/database-url.ts'
import type { System } from '../system/ports.ts'
import { inVolume, type Paths } from './place.ts'

/**
 * A server that the installation leaves, or has left for another. Its databases take no writes from when the
 * last rows are carried over: what somebody wrote there would stay behind. They are opened again where that
 * server stays in force after all, or comes back into force.
 */
export type Left = {
  /** `null` is the embedded one. */
  readonly url: string | null
  readonly closed: readonly string[]
  /** What is still to be proved on the other server, by its databases: commands. */
  readonly toProve: readonly { readonly name: string; readonly commands: readonly string[] }[]
}

type Volume = {
  readonly system: { readonly files: Pick<System['files'], 'readIfThere' | 'writeWhole' | 'removeWhole'> }
  readonly place: { readonly paths: Pick<Paths, 'data'> }
}

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((each) => typeof each === 'string')

const isProof = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  'name' in value &&
  typeof value.name === 'string' &&
  'commands' in value &&
  isTexts(value.commands)

const isLeft = (value: unknown): value is Left =>
  typeof value === 'object' &&
  value !== null &&
  'url' in value &&
  (value.url === null || typeof value.url === 'string') &&
  'closed' in value &&
  isTexts(value.closed) &&
  'toProve' in value &&
  Array.isArray(value.toProve) &&
  value.toProve.every(isProof)

/** Foreign keys may be many. */
const limitBytes = 16 * 1024 * 1024

/** The servers that were left, the last of them at the end. */
export const readLeft = ({ system, place }: Volume): readonly Left[] => {
  try {
    const read: unknown = JSON.parse(system.files.readIfThere(inVolume(place.paths).left, limitBytes) ?? '[]')
    const all = Array.isArray(read) ? read.filter(isLeft) : []
    for (const { url } of all) if (url !== null) parseDatabaseUrl(url)
    return all
  } catch {
    return []
  }
}

const write = ({ system, place }: Volume, all: readonly Left[]): void => {
  const { left } = inVolume(place.paths)
  if (all.length === 0) system.files.removeWhole(left)
  else system.files.writeWhole(left, `${JSON.stringify(all)}\n`, 0o600)
}

/** A password may be another one since. */
const addressOf = (url: string | null): string => {
  if (url === null) return ''
  const { host, port, name } = parseDatabaseUrl(url)
  return `${host}:${port}/${name}`
}

const isSame = (one: Left, other: Left): boolean => addressOf(one.url) === addressOf(other.url)

/** Has it as the last that was left. */
export const rememberLeft = (volume: Volume, left: Left): void =>
  write(volume, [...readLeft(volume).filter((each) => !isSame(each, left)), left])

export const forgetLeft = (volume: Volume, left: Left): void =>
  write(
    volume,
    readLeft(volume).filter((each) => !isSame(each, left)),
  )

/** What was left of the server of that database, if it was. */
export const leftOf = (volume: Volume, database: Database): Left | undefined => {
  const address = database.kind === 'embedded' ? '' : `${database.host}:${database.port}/${database.name}`
  return readLeft(volume).find(({ url }) => addressOf(url) === address)
}
