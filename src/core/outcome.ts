import { constants } from 'node:os'

/** How a process exited, as the kernel reports it: an exit code or a signal. */
export type Outcome = { readonly code: number | null; readonly signal: NodeJS.Signals | null }

/**
 * The outcome as a shell counts it: the exit code, or 128 plus the number of the signal. A signal is never 0.
 */
export const exitNumber = ({ code, signal }: Outcome): number =>
  signal ? 128 + constants.signals[signal] : (code ?? 1)

/** The outcome in words. */
export const inWords = (outcome: Outcome): string => {
  if (outcome.signal === 'SIGKILL') return 'was killed (SIGKILL), by hand or by the kernel (out of memory)'
  if (outcome.signal) return `was terminated by ${outcome.signal}`
  return outcome.code === 0 ? 'exited cleanly (exit code 0)' : `failed with exit code ${outcome.code}`
}
