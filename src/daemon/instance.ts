import { nextPhase, type Phase, type PhaseEvent } from '../core/phase.ts'
import type { Status } from '../core/status.ts'
import type { Milliseconds, UnitState } from '../core/unit.ts'
import { type SupervisorError, toSupervisorError } from '../errors.ts'
import type { InForce } from '../settings/configuration.ts'
import type { Plan } from '../settings/plan.ts'
import type { Results } from '../units/results.ts'
import { Boot } from './boot.ts'
import { type ControlAction, controlService, requireControllable } from './control.ts'
import type { InstanceEvent } from './events.ts'
import { drain } from './drain.ts'
import { Roster } from './roster.ts'
import type { Service } from './service.ts'
import { createServices } from './services.ts'
import { createSleeper, type Sleeper } from './sleeper.ts'
import { outermost, stopInOrder } from './shutdown.ts'
import type { InstanceOptions } from './instance-options.ts'
import { factsOf, readStatus } from './snapshot.ts'
import { Subscribers } from './subscribers.ts'
import { Tasks } from './tasks.ts'
import { carryOut } from './transaction.ts'
import { crashLoopOf, speaksAgainstEdit, stoppingError, uncleanStopOf } from './verdict.ts'
import { Worlds } from './worlds.ts'

/**
 * One running image: it walks the graph, keeps the services up, carries changes out, and stops everything in
 * the reverse order. It knows no HTTP, no process and no clock but those of `system`.
 */
export class Instance {
  readonly #options: InstanceOptions
  readonly #worlds: Worlds
  readonly #tasks: Tasks
  readonly sleeper: Sleeper
  readonly #roster: Roster
  readonly #boot: Boot
  readonly #subscribers = new Subscribers<InstanceEvent>()
  readonly #stopping = new AbortController()
  readonly #hurry = new AbortController()
  #changing = Promise.resolve()
  readonly #ended = Promise.withResolvers<SupervisorError | undefined>()
  #phase: Phase = 'booting'
  #readyAfterMs: number | null = null
  #failure: SupervisorError | undefined

  constructor(options: InstanceOptions) {
    const { system, place, units, inForce } = options
    this.#options = options
    this.#worlds = new Worlds(system, place, { inForce, results: {} })
    const services = createServices(units, {
      system,
      worlds: this.#worlds,
      roster: () => this.#roster,
      emit: (event) => this.#subscribers.emit(event),
      onChange: (service) => this.#onServiceChange(service),
      onGiveUp: (service) => this.fail(crashLoopOf(service, this.#worlds.scopeOf(service.unit))),
    })
    this.#roster = new Roster(units, services)
    this.#tasks = new Tasks(system, this.#worlds, this.#roster)
    this.#boot = new Boot({ system, units, ...this.#parts, signal: this.#stopping.signal })
    this.sleeper = createSleeper({
      system,
      place,
      worlds: this.#worlds,
      roster: this.#roster,
      phase: () => this.#phase,
      signal: this.#stopping.signal,
      onChange: () => this.#subscribers.emit({ type: 'changed' }),
    })
  }

  get inForce(): InForce {
    return this.#worlds.current.inForce
  }
  /** What the tasks have made of it so far. */
  get results(): Partial<Results> {
    return this.#worlds.current.results
  }

  get isStopping(): boolean {
    return this.#phase === 'stopping' || this.#phase === 'ended'
  }
  get wasReady(): boolean {
    return this.#readyAfterMs !== null
  }
  /** Also while it sleeps: whoever comes wakes it. */
  get isReady(): boolean {
    const isUp = (service: Service): boolean =>
      this.sleeper.isUp(service) || this.#worlds.skipReason(service.unit) !== undefined
    return this.#phase === 'running' && this.#roster.services.every(isUp)
  }

  /** Whether those who come from outside reach what they come for. */
  get isServing(): boolean {
    return this.#roster.isServing
  }
  /** Whether they will in a moment. */
  get isBackSoon(): boolean {
    return this.#roster.isBackSoon
  }

  /** Resolves when everything is down, with the error that the container exits with, if any. */
  get ended(): Promise<SupervisorError | undefined> {
    return this.#ended.promise
  }
  /** Resolves once settings can be changed, also where Mathesar never became ready. */
  get whenChangeable(): Promise<void> {
    return this.#boot.whenTasksDone
  }

  /** Calls back with each event; returns the function that ends that. */
  subscribe(listener: (event: InstanceEvent) => void): () => void {
    return this.#subscribers.add(listener)
  }

  /** Brings every unit up. Resolves when all are, or when one has failed. */
  async start(): Promise<void> {
    const { whenUp } = this.#options
    const { signal } = this.#stopping
    const fail = (thrown: unknown): void => {
      if (!signal.aborted) this.fail(toSupervisorError(thrown))
    }
    await this.#boot.run(fail)
    if (signal.aborted) return
    if (whenUp === undefined) return this.#enter('booted')
    await whenUp().then(() => this.stop(), fail)
  }

  /** Ends with an error, after a clean stop. The first one counts; the log has the others. */
  fail(error: SupervisorError): void {
    this.#failure ??= error
    const { inBackground, log } = this.#options.system
    if (error !== this.#failure) log.say('error', error.faultStack ?? error.message)
    inBackground('stop', () => this.stop())
  }

  /** Before a stop: is no longer ready, and serves on for the time that the settings give, if they do. */
  async drain(): Promise<void> {
    if (this.#phase !== 'running' || this.inForce.settings.DRAIN_DELAY === 0) return
    this.#enter('drain')
    const { system } = this.#options
    await drain({ system, ...this.#parts }, AbortSignal.any([this.#stopping.signal, this.#hurry.signal]))
  }

  /** Stops every service after those that depend on it. May be called in any phase, and again. */
  async stop(): Promise<void> {
    if (!this.isStopping) {
      this.#enter('stop')
      this.#stopping.abort(stoppingError())
      this.#worlds.endTrials() // The time to stop is that of the settings in force.
      await stopInOrder(this.#roster, this.inForce)
      this.#enter('stopped')
      const services = this.#roster.services.filter(({ unit }) => this.#worlds.skipReason(unit) === undefined)
      const unclean = uncleanStopOf(services, ({ unit }) => this.#worlds.scopeOf(unit))
      this.#ended.resolve(this.#failure ?? unclean)
    }
    await this.ended
  }

  /** Whoever asks again is in a hurry: ends the draining, or what still runs, the innermost service last. */
  forceStop(): void {
    if (this.#phase === 'draining') return this.#hurry.abort()
    for (const service of outermost(this.#roster, this.inForce)) service.forceStop()
  }

  /** Hands a signal on to the services that it is meant for. */
  forward(signal: NodeJS.Signals): void {
    for (const service of this.#roster.services)
      if (service.unit.forwards?.includes(signal)) service.signal(signal)
  }

  /** Resolves with the state it reached. A start waits for a change: it would have the settings of before. */
  async control(action: ControlAction, name: string): Promise<UnitState> {
    const service = this.#roster.serviceNamed(name)
    if (action !== 'stop') await this.#changing.catch(() => {})
    requireControllable({ action, name, phase: this.#phase, skipped: this.#worlds.skipReason(service.unit) })
    return await this.sleeper.stayAwake(() => controlService(service, action))
  }

  /** Carries out a plan, or throws with everything as it was. `commit` is the point of no return. */
  async change(
    plan: Plan,
    inForce: InForce,
    report: (step: string) => void,
    commit: () => void,
  ): Promise<void> {
    const { signal } = this.#stopping
    await Promise.race([this.whenChangeable, this.ended])
    signal.throwIfAborted()
    const tools = { ...this.#parts, ...this.#options.carrying, signal }
    this.#changing = this.sleeper.stayAwake(() => carryOut(tools, { plan, inForce, report, commit }))
    await this.#changing
    this.sleeper.watch()
    this.#subscribers.emit({ type: 'changed' })
  }

  get #parts() {
    return { worlds: this.#worlds, tasks: this.#tasks, roster: this.#roster }
  }

  /** What the units do and what is wrong with them. */
  status(): Pick<Status, 'phase' | 'ready' | 'boot' | 'units' | 'problems'> {
    const { startedAtMs, system, place } = this.#options
    return readStatus({
      phase: this.#phase,
      isReady: this.isReady,
      isAsleep: this.sleeper.isAsleep,
      failure: this.#failure,
      startedAtMs,
      space: system.files.freeSpace(place.paths.data),
      readyAfterMs: this.#readyAfterMs,
      criticalPath: this.wasReady ? this.#boot.criticalPath : [],
      units: factsOf({ ...this.#parts, timings: this.#boot.timings }),
    })
  }

  /** How long a unit has been in its state, whatever the clock is set to. */
  timeInState(name: string): Milliseconds {
    const { sinceElapsedMs = 0 } =
      this.#roster.serviceOf({ name })?.record ?? this.#tasks.recordOf(name) ?? {}
    return this.#options.system.clock.elapsed() - sinceElapsedMs
  }

  #onServiceChange(service: Service): void {
    for (const other of this.#roster.servicesOn(service.unit)) other.onDependencyChange()
    this.#subscribers.emit({ type: 'changed' })
    this.#noteReady()
    if (this.#phase === 'booting' && speaksAgainstEdit(service) && this.#options.isUnproven?.())
      this.fail(crashLoopOf(service, this.#worlds.scopeOf(service.unit)))
  }

  #noteReady(): void {
    if (this.wasReady || !this.isReady) return
    this.#readyAfterMs = this.#options.system.clock.now() - this.#options.startedAtMs
    this.#subscribers.emit({ type: 'ready' })
    this.sleeper.watch()
  }

  #enter(event: PhaseEvent): void {
    this.#phase = nextPhase(this.#phase, event)
    this.#noteReady()
    this.#subscribers.emit({ type: 'changed' })
  }
}
