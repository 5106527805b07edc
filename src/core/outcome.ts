import { constants } from 'node:os'

/** How a process exited, as the kernel reports it: an exit code or a signal. */
export type Outcome = { readonly code: number | null; readonly signal: NodeJS.Signals | null }

/**
 * The outcome as a shell counts it: the exit code, or 128 plus the number of the signal. A signal is never 0.
 */
export const exitNumber = ({ code, signal }: Outcome): number =>
  signal ? 128 + constants.signals[signal] : (code ?? 1)

/** What a signal that nobody sent usually means. */
const usually: Partial<Record<NodeJS.Signals, string>> = {
  SIGBUS: 'memory that is not there: a full /dev/shm, huge pages, a disk that fails',
  SIGILL: 'an instruction that this processor does not have',
  SIGSEGV: 'a fault in the program or in a library',
  SIGSYS: 'a system call that a seccomp profile forbids',
  SIGXCPU: 'the limit of its processor time',
  SIGXFSZ: 'the limit of the size of a file',
}

/** The outcome in words. */
export const inWords = ({ code, signal }: Outcome): string => {
  if (signal === 'SIGKILL') return 'was killed (SIGKILL), by hand or by the kernel (out of memory)'
  if (signal) {
    const why = usually[signal]
    return `was terminated by ${signal}${why === undefined ? '' : `, usually ${why}`}`
  }
  return code === 0 ? 'exited cleanly (exit code 0)' : `failed with exit code ${code}`
}

/** What a program wrote last. */
export const lastOf = (lines: readonly string[]): string => lines.at(-1) ?? 'it said nothing'

/** How a program failed: its outcome, and what it wrote last. */
export const failureOf = (
  program: string,
  { outcome, lines }: { readonly outcome: Outcome; readonly lines: readonly string[] },
): string => `${program} ${inWords(outcome)}: ${lastOf(lines)}`
