import type { ProcessLook } from '../system/ports.ts'

/** Stopped by a signal (SIGSTOP); under a debugger it would be `t` (proc_pid_stat(5)). */
const stopped = 'T'

/** Why nothing more is to be expected of these processes, as far as one look tells. */
export const whyStopped = (_: unknown, { state, children }: ProcessLook): string | undefined => {
  if (state === stopped) return 'its first process is stopped (SIGSTOP)'
  let count = 0
  for (const child of children) {
    if (child !== stopped) return undefined
    count++
  }
  return count > 0 ? 'all its workers are stopped (SIGSTOP)' : undefined
}
