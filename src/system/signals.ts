/**
 * Signals that ask for a stop. PID 1 never gets a signal without a handler, so they are caught before
 * anything else happens. SIGPWR is the last one: once it is caught, rootfs/usr/local/bin/supervisor knows
 * that all are, and sends it for a stop that came before.
 */
const stops = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGPWR'] as const
/** The others that the daemon answers. Caught earlier, they would look like a stop to who watches for one. */
const others = ['SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGTTIN', 'SIGTTOU', 'SIGWINCH'] as const
type CaughtSignal = (typeof stops)[number] | (typeof others)[number]

/** Catches stops from now on, and keeps them until there is a listener, which gets the other signals, too. */
export const catchSignals = () => {
  const early: CaughtSignal[] = []
  let listener = (signal: CaughtSignal): void => void early.push(signal)
  for (const name of stops) process.on(name, () => listener(name))
  return {
    listen: (next: (signal: CaughtSignal) => void): void => {
      listener = next
      for (const name of others) process.on(name, () => listener(name))
      for (const signal of early.splice(0)) next(signal)
    },
  }
}

export type Signals = ReturnType<typeof catchSignals>
