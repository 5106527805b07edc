import { minuteOf } from '../core/moment.ts'
import { isRecord } from '../core/record.ts'
import { printable } from '../core/message.ts'
import { SupervisorError } from '../errors.ts'
import { replaceManifest, requireManifest } from './manifest.ts'
import { inVolume } from './place.ts'
import { refusalOf } from './refusal.ts'
import type { Scope, Where } from './unit.ts'

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

/** A mark of another form is one all the same: two must not serve. Throws where it cannot be read. */
export const readMoved = (where: Where): Moved | undefined => {
  const { moved } = requireManifest(where)
  if (moved === undefined) return undefined
  const { at, to, isConfirmed } = isRecord(moved) ? moved : {}
  return {
    at: typeof at === 'string' ? at : '',
    to: typeof to === 'string' ? to : null,
    isConfirmed: isConfirmed === true,
  }
}

/** Marks it, durably, or takes the mark away. */
export const writeMoved = (where: Where, moved: Moved | undefined): void => {
  const { moved: _, ...others } = requireManifest(where)
  replaceManifest(where, moved === undefined ? others : { ...others, moved })
}

export const movedInWords = ({ at, to, isConfirmed }: Moved): string =>
  `${to === null ? '' : `to ${printable(to)} `}on ${minuteOf(at)} UTC` +
  (isConfirmed ? '' : ', and the receiver did not confirm it')

const requireMark = (scope: Scope<never>): Moved | undefined => {
  try {
    return readMoved(scope)
  } catch (cause) {
    throw refusalOf(scope, inVolume(scope.place.paths).manifest, cause)
  }
}

/** Refuses to serve from what has moved, and from what may have. */
export const requireNotMoved = (scope: Scope<never>): void => {
  const moved = requireMark(scope)
  if (moved === undefined) return
  throw new SupervisorError(
    'MOVED',
    `cannot serve from ${scope.place.paths.data}: it was moved ${movedInWords(moved)}`,
  )
}
