import { drainSeconds } from '../settings/stopping.ts'
import type { System } from '../system/ports.ts'
import type { Roster } from './roster.ts'
import type { Worlds } from './worlds.ts'

type Tools = { readonly system: System; readonly worlds: Worlds; readonly roster: Roster }

/**
 * Serves on for DRAIN_DELAY, or until `signal` aborts, and then closes the port: whoever sends requests here
 * has had the time to see that it is not ready. Who comes later is refused, and tries another container.
 */
export const drain = async ({ system, worlds, roster }: Tools, signal: AbortSignal): Promise<void> => {
  const { inForce, results } = worlds.current
  const seconds = drainSeconds(inForce.settings)
  system.log.say('info', `not ready any more, and serves for ${seconds} s, for load balancers to notice`)
  for (const { unit } of roster.services)
    if (worlds.skipReason(unit) === undefined)
      system.inBackground(`tell ${unit.name} of the stop`, () => unit.onDraining?.(worlds.scopeOf(unit)))
  await system.clock.delay(seconds * 1000, signal).catch(() => {})
  if (results.listener !== undefined) system.closeSocket(results.listener.fd)
}
