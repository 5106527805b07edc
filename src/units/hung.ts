import type { ProcessLook } from '../system/ports.ts'

/** Stopped by a signal (SIGSTOP); under a debugger it would be `t` (proc_pid_stat(5)). */
const stopped = 'T'

/** Why nothing more is to be expected of these processes, as far as one look tells. */
export const whyStopped = (_: unknown, { state, children }: ProcessLook): string | undefined => {
  if (state === stopped) return 'its first process is stopped (SIGSTOP)'
  return children.length > 0 && children.every((child) => child === stopped)
    ? 'all its workers are stopped (SIGSTOP)'
    : undefined
}
