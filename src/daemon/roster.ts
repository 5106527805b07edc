import { allDependencies } from '../core/graph.ts'
import { SupervisorError } from '../errors.ts'
import type { Unit, UnitName, TaskUnit } from '../units/unit.ts'
import type { Service } from './service.ts'

/** The units and their services, by name and in the order in which they start. */
export class Roster {
  readonly units: readonly Unit[]
  readonly services: readonly Service[]
  readonly #units: ReadonlyMap<string, Unit>
  readonly #services: ReadonlyMap<string, Service>
  /** What each unit depends on, also by way of another one. */
  readonly #dependencies: ReadonlyMap<string, ReadonlySet<UnitName>>

  constructor(units: readonly Unit[], services: readonly Service[]) {
    this.units = units
    this.services = services
    this.#units = new Map(units.map((unit) => [unit.name, unit]))
    this.#services = new Map(services.map((service) => [service.unit.name, service]))
    this.#dependencies = allDependencies(units)
  }

  /** Whether each service that tells visitors of itself serves. */
  get isServing(): boolean {
    return this.services.every(({ unit, serving }) => unit.onServing === undefined || serving.isServing)
  }

  /** Whether one that does not serve is back in a moment. */
  get isBackSoon(): boolean {
    return this.services.some(({ serving }) => serving.isBackSoon)
  }

  serviceOf({ name }: { readonly name: string }): Service | undefined {
    return this.#services.get(name)
  }

  /** Throws UNIT_UNKNOWN where there is none: people type the name. */
  serviceNamed(name: string): Service {
    const service = this.#services.get(name)
    if (service) return service
    const names = [...this.#services.keys()].join(', ')
    throw new SupervisorError(
      'UNIT_UNKNOWN',
      `cannot find a service named ${name.slice(0, 80)}: there is ${names}`,
    )
  }

  taskNamed(name: UnitName): TaskUnit {
    const unit = this.#units.get(name)
    if (unit?.kind === 'task') return unit
    throw new SupervisorError('UNIT_UNKNOWN', `cannot find a task named ${name}`)
  }

  /** Whether a unit depends on another one, also by way of a third. */
  dependsOn(name: UnitName, on: UnitName): boolean {
    return this.#dependencies.get(name)?.has(on) === true
  }

  /** The services that a unit depends on. */
  servicesFor({ name }: Pick<Unit, 'name'>): readonly Service[] {
    return this.services.filter(({ unit }) => this.dependsOn(name, unit.name))
  }

  /** The services that depend on a unit. */
  servicesOn({ name }: Pick<Unit, 'name'>): readonly Service[] {
    return this.services.filter(({ unit }) => this.dependsOn(unit.name, name))
  }
}
