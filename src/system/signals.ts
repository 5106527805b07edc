/**
 * Signals that the daemon answers. PID 1 never gets a signal without a handler, so they are caught before
 * anything else happens. SIGPWR is the last one: once it is caught, rootfs/usr/local/bin/supervisor knows
 * that all are, and sends it for a stop that came before.
 */
const names = [
  'SIGTERM',
  'SIGINT',
  'SIGQUIT',
  'SIGHUP',
  'SIGUSR1',
  'SIGUSR2',
  'SIGTTIN',
  'SIGTTOU',
  'SIGWINCH',
  'SIGPWR',
] as const
export type CaughtSignal = (typeof names)[number]

/** Catches signals from now on, and keeps them until there is a listener. */
export const catchSignals = () => {
  const early: CaughtSignal[] = []
  let listener = (signal: CaughtSignal): void => void early.push(signal)
  for (const name of names) process.on(name, () => listener(name))
  return {
    listen: (next: (signal: CaughtSignal) => void): void => {
      listener = next
      for (const signal of early.splice(0)) next(signal)
    },
  }
}

export type Signals = ReturnType<typeof catchSignals>
