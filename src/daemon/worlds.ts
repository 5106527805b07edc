import type { ErrorCode } from '../errors.ts'
import type { InForce } from '../settings/configuration.ts'
import type { System } from '../system/ports.ts'
import type { Place } from '../units/place.ts'
import type { Results, TaskName } from '../units/results.ts'
import type { Scope, Unit, UnitName } from '../units/unit.ts'

/** The settings, and what the tasks have made of them. */
export type World = { readonly inForce: InForce; readonly results: Partial<Results> }

/** What a unit is busy with, in its own words, and the failure that keeps it, if one does. */
export type Detail = { readonly text: string; readonly code: ErrorCode | undefined }

/**
 * What is in force, in one cell. A change works on a world of its own, which replaces this one in one step
 * when the change is committed. A service that the change starts before that lives in the change's world on
 * trial.
 */
export class Worlds {
  readonly #system: System
  readonly #place: Place
  readonly #trials = new Map<UnitName, World>()
  /** What units are busy with, in their own words. */
  readonly #details = new Map<UnitName, Detail>()
  readonly #first: World
  #current: World

  constructor(system: System, place: Place, first: World) {
    this.#system = system
    this.#place = place
    this.#first = first
    this.#current = first
  }

  get current(): World {
    return this.#current
  }

  /** A world with other settings, and the results so far. */
  next(inForce: InForce): World {
    return { inForce, results: { ...this.#current.results } }
  }

  /** Has a service live in a world that may not be in force yet. */
  tryOut(unit: UnitName, world: World): void {
    this.#trials.set(unit, world)
  }

  endTrials(): void {
    this.#trials.clear()
  }

  commit(world: World): void {
    this.#current = world
    this.endTrials()
  }

  /** Why the settings (those in force, if no others are given) leave the unit out, if they do. */
  skipReason({ skip }: Unit, { inForce }: World = this.#current): string | undefined {
    return skip?.(inForce, this.#place)
  }

  detailOf(name: UnitName): Detail | undefined {
    return this.#details.get(name)
  }

  report(name: UnitName, text: string | null, code?: ErrorCode): void {
    if (text === null) this.#details.delete(name)
    else this.#details.set(name, { text, code })
  }

  /**
   * What the unit may use. The types of `units/unit.ts` let it read the results of its needs alone,
   * and those are there.
   */
  scopeOf({ name }: Pick<Unit, 'name'>, world: World = this.#trials.get(name) ?? this.#current): Scope {
    return {
      system: this.#system,
      place: this.#place,
      inForce: world.inForce,
      results: world.results as Results,
      isBoot: world === this.#first,
      report: (text, code) => this.report(name, text, code),
    }
  }
}

/** Keeps what a task returned. */
export const keepResult = (world: World, name: TaskName, result: Results[TaskName]): void =>
  void Object.assign(world.results, { [name]: result })
