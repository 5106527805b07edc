import type { Problem } from '../core/status.ts'
import type { System } from '../system/ports.ts'
import type { Place } from '../units/place.ts'
import { isWaiting, type Journal, readJournal, waitingHint, waitingInWords } from '../units/swap.ts'

type Where = { readonly system: Pick<System, 'files'>; readonly place: Pick<Place, 'paths'> }

/** A disk that does not give it must not keep anybody from the rest of the status. */
const journalOf = ({ system: { files }, place: { paths } }: Where): Journal | undefined => {
  try {
    return readJournal({ files, paths })
  } catch {
    return undefined
  }
}

/** That another installation waits to take the place of this one. Read each time: commands change it. */
export const swapProblems = (where: Where): readonly Problem[] => {
  const journal = journalOf(where)
  if (!isWaiting(journal)) return []
  const message =
    `${waitingInWords(journal)}, and takes the place of what is here now: ` +
    'what is written until then goes aside with it'
  return [{ unit: 'supervisor', code: null, message, hint: waitingHint }]
}
