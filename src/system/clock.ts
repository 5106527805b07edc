import { setTimeout as delay } from 'node:timers/promises'
import type { Clock } from './ports.ts'

/** The time of this machine. */
export const clock: Clock = {
  now: Date.now,
  elapsed: () => process.uptime() * 1000,
  delay: (ms, signal) => delay(ms, undefined, signal && { signal }),
  after: (ms, act) => {
    const timer = setTimeout(act, ms).unref()
    return () => clearTimeout(timer)
  },
}
