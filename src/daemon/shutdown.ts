import type { InForce } from '../settings/configuration.ts'
import type { Unit, UnitName } from '../units/unit.ts'
import type { Roster } from './roster.ts'
import type { Service } from './service.ts'

/** Whether a unit goes before another one: it needs it, or the other one says so. */
const goesBefore = (roster: Roster, inForce: InForce, unit: Unit, other: Unit): boolean =>
  roster.dependsOn(unit.name, other.name) ||
  (other.kind === 'service' && other.stopsAfter?.(inForce).includes(unit.name) === true)

/** Stops each service once all units that go before it are down. Resolves when every process is gone. */
export const stopInOrder = async (roster: Roster, inForce: InForce): Promise<void> => {
  const down = new Map<UnitName, Promise<void>>()
  const stop = async (unit: Unit): Promise<void> => {
    const before = roster.units.filter((other) => goesBefore(roster, inForce, other, unit))
    await Promise.all(before.map(whenDown))
    await roster.serviceOf(unit)?.shutDown()
  }
  const whenDown = (unit: Unit): Promise<void> => {
    const known = down.get(unit.name) ?? stop(unit)
    down.set(unit.name, known)
    return known
  }
  await Promise.all(roster.units.toReversed().map(whenDown))
}

/** The running services that no other running one goes before: what is stopped by force first. */
export const outermost = (roster: Roster, inForce: InForce): readonly Service[] => {
  const running = roster.services.filter(({ isRunning }) => isRunning)
  return running.filter(({ unit }) => !running.some((other) => goesBefore(roster, inForce, other.unit, unit)))
}
