import { readFileSync } from 'node:fs'
import { constants } from 'node:os'

/** Signals that the daemon answers. PID 1 is deaf to a signal without a handler, so they are caught before anything else happens. */
const names = ['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2', 'SIGTTIN', 'SIGTTOU', 'SIGWINCH'] as const
export type CaughtSignal = (typeof names)[number]

/** While Node starts it has a handler of its own for each of these two, which serves once and raises the signal anew: to PID 1 that is nothing. */
const servedByNode = ['SIGTERM', 'SIGINT'] as const

/**
 * Signals that came while Node started: their handler is gone. Takes the text of /proc/self/status. Where both are gone nothing
 * is known: no start may end because a Node to come has no such handlers.
 */
export const findMissed = (status: string): readonly CaughtSignal[] => {
  const caught = BigInt(`0x${/^SigCgt:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`)
  const gone = servedByNode.filter((name) => (caught >> BigInt(constants.signals[name] - 1) & 1n) === 0n)
  return gone.length === servedByNode.length ? [] : gone
}

/** Catches signals from now on, and keeps them, and those that Node's start swallowed, until somebody listens. */
export const catchSignals = () => {
  const early = [...findMissed(readFileSync('/proc/self/status', 'latin1'))]
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
