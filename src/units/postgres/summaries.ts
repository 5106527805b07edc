import { schedulesOf } from '../../settings/schedule.ts'
import type { Place } from '../place.ts'
import type { Scope } from '../unit.ts'
import { majorOf } from './programs.ts'

/** The first one that can. */
const sinceMajor = 17

/**
 * Whether Postgres keeps summaries of its log: by them an archive has only what has changed since another
 * one.
 */
export const summarizesLog = ({
  place,
  inForce,
}: Pick<Scope<never>, 'inForce'> & { readonly place: Pick<Place, 'paths'> }): boolean =>
  inForce.database.kind === 'embedded' &&
  (majorOf(place) ?? sinceMajor) >= sinceMajor &&
  inForce.settings.BACKUP_FULL_EVERY > 0 &&
  schedulesOf(inForce).backup !== undefined
