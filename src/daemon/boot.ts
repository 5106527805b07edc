import { orAborted } from '../core/abort.ts'
import { criticalPath } from '../core/graph.ts'
import type { System } from '../system/ports.ts'
import type { Unit, UnitName } from '../units/unit.ts'
import type { Roster } from './roster.ts'
import type { Service } from './service.ts'
import type { Tasks } from './tasks.ts'
import type { Worlds } from './worlds.ts'

export type Timing = { readonly startedMs: number; readonly endedMs: number }

type Options = {
  readonly system: Pick<System, 'clock'>
  readonly units: readonly Unit[]
  readonly worlds: Pick<Worlds, 'skipReason'>
  readonly tasks: Pick<Tasks, 'boot'>
  readonly roster: Pick<Roster, 'serviceNamed'>
  /** Aborts when everything stops. */
  readonly signal: AbortSignal
}

/** Resolves once the service is ready: it starts at once, and may serve when `mayServe` resolves. */
const bootService = async (
  service: Service,
  mayServe: Promise<unknown>,
  signal: AbortSignal,
): Promise<void> => {
  service.start()
  await mayServe
  signal.throwIfAborted()
  service.open()
  await orAborted(service.reached('ready'), signal)
}

/**
 * The boot of an instance. It walks the graph: each unit starts as soon as what it needs is there, side by
 * side with the rest.
 */
export class Boot {
  /** When each unit was brought up that has been. */
  readonly timings = new Map<UnitName, Timing>()
  readonly #options: Options
  readonly #up = new Map<UnitName, Promise<void>>()
  readonly #tasksDone = Promise.withResolvers<void>()

  constructor(options: Options) {
    this.#options = options
  }

  /** Resolves once all tasks are done, whether or not a service became ready. */
  get whenTasksDone(): Promise<void> {
    return this.#tasksDone.promise
  }

  /** The units that the last one to come up had to wait for, in order. */
  get criticalPath(): readonly string[] {
    return criticalPath(this.#options.units, (name) => this.timings.get(name as UnitName))
  }

  /** Brings all up. Resolves once each is, or has failed: `onFailure` hears of it, and of what needs it. */
  async run(onFailure: (thrown: unknown) => void): Promise<void> {
    const { units } = this.#options
    for (const unit of units) this.#up.set(unit.name, this.#bring(unit))
    for (const promise of this.#up.values()) promise.catch(onFailure)
    const tasks = units.filter(({ kind }) => kind === 'task').map(({ name }) => name)
    this.#all(tasks).then(() => this.#tasksDone.resolve(), onFailure)
    await Promise.allSettled(this.#up.values())
  }

  #all(names: readonly UnitName[]): Promise<unknown> {
    return Promise.all(names.flatMap((name) => this.#up.get(name) ?? []))
  }

  async #bring(unit: Unit): Promise<void> {
    const { system, worlds, tasks, roster, signal } = this.#options
    await this.#all(unit.needs)
    signal.throwIfAborted()
    if (worlds.skipReason(unit) !== undefined) return
    const startedMs = system.clock.now()
    if (unit.kind === 'task') {
      await tasks.boot(unit, signal)
    } else {
      const mayServe = this.#all(unit.servesAfter ?? [])
      mayServe.catch(() => {}) // The unit that failed reports it.
      await bootService(roster.serviceNamed(unit.name), mayServe, signal)
    }
    this.timings.set(unit.name, { startedMs, endedMs: system.clock.now() })
  }
}
