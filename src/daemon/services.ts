import { isUp } from '../core/service-state.ts'
import type { System } from '../system/ports.ts'
import type { LineWatch } from '../system/service-lines.ts'
import type { ServiceUnit, Unit } from '../units/unit.ts'
import type { InstanceEvent } from './events.ts'
import type { Roster } from './roster.ts'
import { Service } from './service.ts'
import type { Worlds } from './worlds.ts'

type Tools = {
  readonly system: System
  readonly worlds: Worlds
  readonly roster: () => Roster
  readonly emit: (event: InstanceEvent) => void
  readonly onChange: (service: Service) => void
  readonly onGiveUp: (service: Service) => void
}

const createService = (unit: ServiceUnit, tools: Tools): Service => {
  const { system, worlds, roster, emit } = tools
  const { name, watchedText, troubleText, readLine } = unit
  const watch = (needle: string | undefined, found: (line: string) => void): readonly LineWatch[] =>
    needle === undefined ? [] : [{ needle, found }]
  const watches = [
    ...watch(watchedText, (line) => emit({ type: 'line', unit: name, line })),
    ...watch(troubleText, () => service.doubt()),
  ]
  const service: Service = new Service(unit, {
    system,
    scope: () => worlds.scopeOf(unit),
    areDependenciesUp: () =>
      roster()
        .servicesFor(unit)
        .every((other) => isUp(other.state) || worlds.skipReason(other.unit) !== undefined),
    output: () => (readLine ? system.log.readLines(name, readLine) : system.log.lines(name, ...watches)),
    onChange: () => tools.onChange(service),
    onGiveUp: () => tools.onGiveUp(service),
  })
  return service
}

/** The services among the units. */
export const createServices = (units: readonly Unit[], tools: Tools): readonly Service[] =>
  units.flatMap((unit) => (unit.kind === 'service' ? [createService(unit, tools)] : []))
