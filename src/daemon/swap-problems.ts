import type { Problem } from '../core/status.ts'
import type { Volume } from '../units/place.ts'
import { isWaiting, type Journal, readJournal, waitingHint, waitingInWords } from '../units/swap.ts'

/** A disk that cannot be read here must not cost the rest of the status. */
const journalOf = (volume: Volume): Journal | undefined => {
  try {
    return readJournal(volume)
  } catch {
    return undefined
  }
}

/** That another installation waits to take the place of this one. Read each time: commands change it. */
export const swapProblems = (volume: Volume): readonly Problem[] => {
  const journal = journalOf(volume)
  if (!isWaiting(journal)) return []
  const message =
    `${waitingInWords(journal)}, and takes the place of what is here now: ` +
    'what is written until then goes aside with it'
  return [{ unit: 'supervisor', code: null, message, hint: waitingHint }]
}
