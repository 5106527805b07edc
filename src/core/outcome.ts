import { constants } from 'node:os'

/** How a process ended, as the kernel tells it: an exit code or a signal. */
export type Outcome = { readonly code: number | null; readonly signal: NodeJS.Signals | null }

/** The outcome as a shell counts it: the exit code, or 128 plus the number of the signal. Never 0 for a death by signal. */
export const exitNumber = ({ code, signal }: Outcome): number =>
  signal ? 128 + constants.signals[signal] : (code ?? 1)

/** The outcome in words. */
export const inWords = (outcome: Outcome): string => {
  if (outcome.signal === 'SIGKILL') return 'was killed (SIGKILL): by hand, or for want of memory'
  if (outcome.signal) return `was ended by ${outcome.signal}`
  return outcome.code === 0 ? 'ended in order (exit code 0)' : `failed with exit code ${outcome.code}`
}
