import type { Unit, UnitName } from '../units/unit.ts'
import type { Roster } from './roster.ts'
import type { Service } from './service.ts'

/** Stops each service once all units that depend on it are down. Resolves when every process is gone. */
export const stopInOrder = async (roster: Roster): Promise<void> => {
  const down = new Map<UnitName, Promise<void>>()
  const stop = async (unit: Unit, dependents: readonly Unit[]): Promise<void> => {
    await Promise.all(dependents.flatMap(({ name }) => down.get(name) ?? []))
    await roster.serviceOf(unit)?.shutDown()
  }
  const reversed = roster.units.toReversed()
  for (const unit of reversed) {
    const dependents = reversed.filter((other) => roster.dependsOn(other.name, unit.name))
    down.set(unit.name, stop(unit, dependents))
  }
  await Promise.all(down.values())
}

/** The running services that no other running one depends on: what is stopped by force first. */
export const outermost = (roster: Roster): readonly Service[] => {
  const running = roster.services.filter(({ isRunning }) => isRunning)
  return running.filter(({ unit }) => !running.some((other) => roster.dependsOn(other.unit.name, unit.name)))
}
