import { minuteOf } from '../core/moment.ts'
import { printable } from '../core/message.ts'
import { SupervisorError } from '../errors.ts'
import { readManifest, replaceManifest } from './manifest.ts'
import type { Scope } from './unit.ts'

/**
 * That an installation serves from another volume now (`supervisor send`). It is in the manifest, which a
 * restore replaces with all else. What is marked so does not serve, so that no two do.
 */
export type Moved = {
  /** ISO 8601. */
  readonly at: string
  /** Where to, as whoever moved it named the place. */
  readonly to: string | null
  /** Whether the receiver said that it has it in place. */
  readonly isConfirmed: boolean
}

type Where = Pick<Scope<never>, 'system' | 'place'>

/** A mark of another form is one all the same: two must not serve. */
export const readMoved = (where: Where): Moved | undefined => {
  const { moved } = readManifest(where)
  if (moved === undefined) return undefined
  const { at, to, isConfirmed } = typeof moved === 'object' && moved !== null ? (moved as Partial<Moved>) : {}
  return {
    at: typeof at === 'string' ? at : '',
    to: typeof to === 'string' ? to : null,
    isConfirmed: isConfirmed === true,
  }
}

/** Marks it, durably, or takes the mark away. */
export const writeMoved = (where: Where, moved: Moved | undefined): void => {
  const { moved: _, ...others } = readManifest(where)
  replaceManifest(where, moved === undefined ? others : { ...others, moved })
}

export const movedInWords = ({ at, to, isConfirmed }: Moved): string =>
  `${to === null ? '' : `to ${printable(to)} `}on ${minuteOf(at)} UTC` +
  (isConfirmed ? '' : ', and the receiver did not confirm it')

/** Refuses to serve from what has moved. */
export const requireNotMoved = (where: Where): void => {
  const moved = readMoved(where)
  if (moved === undefined) return
  throw new SupervisorError(
    'MOVED',
    `cannot serve from ${where.place.paths.data}: it was moved ${movedInWords(moved)}`,
  )
}
