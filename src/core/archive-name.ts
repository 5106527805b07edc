import { dayMs } from './amounts.ts'

/**
 * Which archive it is: when it was made (UTC), and, where the schedule made it, of which installation. Only
 * such a one is ever thinned out: what people made themselves stays.
 */
export type ArchiveId = { readonly atMs: number; readonly by: string | undefined }

/** The name also says which archive it builds on, where it has only what has changed since: its parent. */
type ArchiveName = ArchiveId & { readonly after?: ArchiveId | undefined }

const id = String.raw`(?:([A-Za-z0-9]{8})-)?(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ)`
const pattern = new RegExp(`^mathesar-${id}(?:-after-${id})?\\.tar(?:\\.age)?$`)

const formatId = ({ atMs, by }: ArchiveId): string => {
  const at = new Date(atMs).toISOString().replace(/\.\d+/, '').replaceAll(':', '-')
  return `${by === undefined ? '' : `${by}-`}${at}`
}

export const formatArchiveName = ({ after, ...own }: ArchiveName, isLocked: boolean): string => {
  const parent = after === undefined ? '' : `-after-${formatId(after)}`
  return `mathesar-${formatId(own)}${parent}.tar${isLocked ? '.age' : ''}`
}

const parseId = (by: string | undefined, at: string): ArchiveId => {
  const [day, time = ''] = at.split('T')
  return { atMs: Date.parse(`${day}T${time.replaceAll('-', ':')}`), by }
}

/** `undefined` for the name of anything else. */
export const parseArchiveName = (name: string): ArchiveName | undefined => {
  const [, by, at, parentBy, parentAt] = pattern.exec(name) ?? []
  if (at === undefined) return undefined
  const own = parseId(by, at)
  if (parentAt === undefined) return Number.isNaN(own.atMs) ? undefined : own
  const after = parseId(parentBy, parentAt)
  // No clock makes a ring: a parent is older.
  return after.atMs < own.atMs ? { ...own, after } : undefined
}

type Named = { readonly name: string }

const findById = <Each extends Named>(id: ArchiveId | undefined, among: readonly Each[]): Each | undefined =>
  id &&
  among.find(({ name }) => {
    const other = parseArchiveName(name)
    return other !== undefined && other.atMs === id.atMs && other.by === id.by
  })

/** The archive of these that another one builds on. */
export const findParent = <Each extends Named>(name: string, among: readonly Each[]): Each | undefined =>
  findById(parseArchiveName(name)?.after, among)

/** The archive of these that is called so, or was before somebody encrypted or decrypted it. */
export const findSame = <Each extends Named>(name: string, among: readonly Each[]): Each | undefined =>
  findById(parseArchiveName(name), among)

/** When an archive was made, in whatever name somebody gave it; 0 where it does not say. */
export const momentIn = (name: string): number => {
  const [, at] = /(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ)/.exec(name) ?? []
  return at === undefined ? 0 : parseId(undefined, at).atMs || 0
}

/** Whether a clock that went wrong has dated it: another machine's may be ahead by less than a day. */
export const isInFuture = (atMs: number, nowMs: number): boolean => atMs > nowMs + dayMs

/** Sorts moments, the newest first; those in the future come last. */
export const newestFirst =
  (nowMs: number) =>
  (one: number, other: number): number =>
    Number(isInFuture(one, nowMs)) - Number(isInFuture(other, nowMs)) || other - one

/** What may be asked for by name: it has no folder in it. */
export const isArchiveName = (name: string): boolean => /^[A-Za-z0-9][\w.-]{0,200}\.tar(\.age)?$/.test(name)
