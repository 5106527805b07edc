import { orAborted } from '../core/abort.ts'
import type { UnitState } from '../core/unit.ts'
import { type SupervisorError, toSupervisorError } from '../errors.ts'
import type { System } from '../system/ports.ts'
import type { TaskName } from '../units/results.ts'
import type { TaskUnit } from '../units/unit.ts'
import { OwedTasks } from './owed-tasks.ts'
import type { Roster } from './roster.ts'
import { type Since, sinceNow } from './service-record.ts'
import { keepResult, type World, type Worlds } from './worlds.ts'

/**
 * How often a task is run again after a failure that passes by itself,
 * such as a database that was restarted under it.
 */
const retries = 6
const firstPauseMs = 100

/** How long a task that a change owes rests before it is run once more. */
const untilDonePauseMs = 5000

export type TaskRecord = Since & {
  readonly state: UnitState
  /** Why it is run again. */
  readonly failure?: SupervisorError
}

/** Runs tasks, and knows what became of each. */
export class Tasks {
  readonly #system: System
  readonly #worlds: Worlds
  readonly #roster: Roster
  readonly owed = new OwedTasks((unit, signal) => this.#runUntilDone(unit, signal))
  readonly #records = new Map<string, TaskRecord>()

  constructor(system: System, worlds: Worlds, roster: Roster) {
    this.#system = system
    this.#worlds = worlds
    this.#roster = roster
  }

  recordOf(name: string): TaskRecord | undefined {
    return this.#records.get(name)
  }

  /** Runs a task of the boot, with its state in the status. */
  async boot(unit: TaskUnit, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#system
    const startedMs = clock.now()
    this.#enter(unit, { state: 'running' })
    try {
      await this.run(unit, this.#worlds.current, signal)
      log.say('debug', `${unit.name} done in ${clock.now() - startedMs} ms`)
    } catch (error) {
      this.#enter(unit, { state: signal.aborted ? 'stopped' : 'failed' })
      if (!signal.aborted) this.#worlds.scopeOf(unit).report((error as Error).message)
      throw error
    }
  }

  /**
   * Runs a task in a world and keeps its result there. A change may be the first to run it.
   * Runs it again when it failed for a reason that passes by itself.
   */
  async run(unit: TaskUnit, world: World, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#system
    const scope = this.#worlds.scopeOf(unit, world)
    for (let attempt = 0; ; attempt++) {
      try {
        keepResult(world, unit.name, await unit.run(scope, signal))
        return this.#enter(unit, { state: 'done' })
      } catch (thrown) {
        scope.report(null)
        const error = toSupervisorError(thrown)
        if (!error.isPassing || attempt === retries || signal.aborted) throw error
        log.say('warn', `${unit.name} is run again: ${error.message}`)
        this.#noteRetry(unit.name, error)
        await clock.delay(firstPauseMs * 2 ** attempt, signal)
        await this.#whenServicesReady(unit, signal)
      }
    }
  }

  /** Runs a task in what is in force until it works. Meanwhile the status says why it does not. */
  async #runUntilDone(unit: TaskUnit, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#system
    for (;;) {
      try {
        await this.run(unit, this.#worlds.current, signal)
        return log.say('info', `${unit.name} is done after all`)
      } catch (error) {
        signal.throwIfAborted()
        const failure = toSupervisorError(error)
        this.#enter(unit, { state: 'running', failure })
        await clock.delay(untilDonePauseMs, signal)
      }
    }
  }

  #enter({ name }: TaskUnit, record: Omit<TaskRecord, keyof Since>): void {
    this.#records.set(name, { ...record, ...sinceNow(this.#system.clock) })
  }

  /** Only of a boot: what fails in a change is told to whoever asked for it. */
  #noteRetry(name: TaskName, failure: SupervisorError): void {
    const record = this.#records.get(name)
    if (record?.state === 'running') this.#records.set(name, { ...record, failure })
  }

  /** Resolves once the services that the task depends on are ready. */
  async #whenServicesReady(unit: TaskUnit, signal: AbortSignal): Promise<void> {
    const needed = this.#roster
      .servicesFor(unit)
      .filter((service) => this.#worlds.skipReason(service.unit) === undefined)
    await orAborted(Promise.all(needed.map((service) => service.reached('ready'))), signal)
  }
}
