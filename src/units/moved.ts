import { minuteOf } from '../core/moment.ts'
import { printable } from '../core/message.ts'
import { SupervisorError } from '../errors.ts'
import { readManifest } from './manifest.ts'
import { inVolume } from './place.ts'
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

const isMoved = (value: unknown): value is Moved =>
  typeof value === 'object' && value !== null && 'at' in value && typeof value.at === 'string'

export const readMoved = (where: Where): Moved | undefined => {
  const { moved } = readManifest(where as Scope<never>)
  return isMoved(moved) ? moved : undefined
}

/** Marks it, durably, or takes the mark away. */
export const writeMoved = ({ system, place }: Where, moved: Moved | undefined): void => {
  const { moved: _, ...others } = readManifest({ system, place } as Scope<never>)
  const manifest = moved === undefined ? others : { ...others, moved }
  system.files.writeWhole(inVolume(place.paths).manifest, `${JSON.stringify(manifest, null, 2)}\n`, 0o644)
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
