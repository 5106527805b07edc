import { initialState, isRunning } from '../core/service-state.ts'
import type { Effect, GenerationId, ServiceEvent, ServiceState } from '../core/service-state.ts'
import { nextStep } from '../core/lifecycle.ts'
import type { Outcome } from '../core/outcome.ts'
import { probePauseMs } from '../core/timers.ts'
import type { Policy } from '../core/unit.ts'
import type { Output } from '../system/output.ts'
import type { Scope, ServiceUnit } from '../units/unit.ts'
import type { Candidate } from './candidate.ts'
import { Generations } from './generations.ts'
import { type Watch, watchGeneration } from './liveness.ts'
import { narrate } from './narrate.ts'
import { newRecord, type ServiceRecord, sinceNow } from './service-record.ts'
import { Serving, type Surroundings } from './serving.ts'
import { StateTimer } from './state-timer.ts'
import { stoppingError } from './verdict.ts'
import { Waiters } from './waiters.ts'

type Options = Surroundings & {
  /** Takes what one process of the service writes. */
  readonly output: () => Output
  readonly onGiveUp: () => void
}

/** One service kept up: feeds the pure machine of `core/lifecycle.ts`, and carries its effects out. */
export class Service {
  readonly unit: ServiceUnit
  /** What its visitors find. */
  readonly serving: Serving
  readonly #options: Options
  readonly #generations: Generations
  readonly #waiters: Waiters<ServiceState>
  readonly #timer: StateTimer
  #state: ServiceState
  #record: ServiceRecord
  #isShuttingDown = false
  #watch: Watch = { stop: () => {}, hurry: () => {} }
  #isRested = false

  constructor(unit: ServiceUnit, options: Options) {
    this.unit = unit
    this.#options = options
    this.#state = initialState(unit.servesAfter === undefined)
    this.#record = newRecord(options.system.clock)
    this.#generations = new Generations({ ...options, unit, onExit: (...exit) => this.#exited(...exit) })
    this.#waiters = new Waiters(() => this.#state)
    this.serving = new Serving(unit, options)
    this.#timer = new StateTimer(options.system, (type) => this.#send({ type }))
  }

  get state(): ServiceState {
    return this.#state
  }
  get record(): ServiceRecord {
    return this.#record
  }
  get pid(): number | null {
    return this.#generations.get(this.#state.current)?.process.pid ?? null
  }
  get isRunning(): boolean {
    return isRunning(this.#state)
  }

  start(): void {
    this.#send({ type: 'start' })
  }
  restart(): void {
    this.#send({ type: 'restart' })
  }
  open(): void {
    this.#send({ type: 'open' })
  }
  signal(signal: NodeJS.Signals): void {
    this.#generations.get(this.#state.current)?.process.signal(signal)
  }

  /** Something says that it does not work: its next probe does not wait. */
  doubt(): void {
    if (this.#state.name === 'ready') this.#watch.hurry()
  }

  /** Resolves with the state once the service is in one of these. */
  reached(...names: readonly ServiceState['name'][]): Promise<ServiceState['name']> {
    return this.#waiters.until(({ name }) => names.includes(name)).then(() => this.#state.name)
  }

  /** Stops the generation that serves. A candidate stays. */
  async drain(): Promise<void> {
    this.#send({ type: 'drain' })
    await this.reached('stopped', 'failed')
  }

  /** Stops all generations; resolves when every process is gone. */
  async stop(): Promise<void> {
    this.#send({ type: 'stop' })
    await this.#waiters.until((state) => ['stopped', 'failed'].includes(state.name) && !isRunning(state))
  }

  /** What it depends on came or went. */
  onDependencyChange(): void {
    this.serving.update(this.#state)
  }

  /** Has its visitors wait, also those who come while it serves on; or serves them again. */
  setHidden(isHidden: boolean): void {
    this.serving.setHidden(isHidden || this.#isShuttingDown, this.#state)
  }

  /** Stops it for a while, hidden. Its next start waits for `open`, and is not counted as another one. */
  async rest(): Promise<void> {
    await this.stop()
    this.#isRested = true
    if (this.unit.servesAfter !== undefined) this.#send({ type: 'close' })
  }

  /** The same because the whole container stops, in the time that the platform gives for it. */
  async shutDown(): Promise<void> {
    this.#isShuttingDown = true
    this.serving.setHidden(true, this.#state)
    await this.stop()
  }

  /** Ends it now: by the signal that it has for that, else by SIGKILL to every process of it. */
  forceStop(): void {
    this.#generations.forceStop(this.#policy().forceStopSignal)
  }

  /**
   * Starts a generation beside the one that serves. It takes no request until it is promoted. One that is
   * only to be `tried` never is: a service that is stopped stays so.
   */
  async prepare(scope: Scope, type: 'prepared' | 'tried' = 'prepared'): Promise<Candidate> {
    // Changes in quick succession: an earlier generation gets time to go first, for each takes its memory.
    const { clock } = this.#options.system
    await this.#waiters.within(this.#policy().graceMs, ({ retiring }) => retiring.length === 0, clock)
    const command = await this.unit.command(scope)
    if (this.#isShuttingDown) throw stoppingError()
    const candidate = this.#generations.spawnCandidate(command, (id) => this.#promote(id))
    this.#send({ type, id: candidate.id })
    return candidate
  }

  /** Makes a candidate the one that serves, and retires the one before. Resolves when that one is gone. */
  async #promote(id: GenerationId): Promise<void> {
    const { current: replaced } = this.#state
    this.#send({ type: 'promoted', id })
    if (this.#state.current !== id) throw new Error('the new generation has ended')
    await this.#waiters.until(({ retiring }) => replaced === undefined || !retiring.includes(replaced))
  }

  #policy(): Policy {
    const policy = this.unit.policy(this.#options.scope().inForce)
    return this.#isShuttingDown ? { ...policy, graceMs: policy.shutdownMs ?? policy.graceMs } : policy
  }

  #send(event: ServiceEvent): void {
    const before = this.#state
    const policy = this.#policy()
    const { state: after, effects } = nextStep(before, event, policy)
    this.#state = after
    if (after.current !== before.current) {
      this.#watch.stop()
      if (after.current !== undefined) this.#note({ generation: this.#record.generation + 1 })
    }
    if (after.name !== before.name) this.#enter(after, policy)
    this.#timer.arm(after, policy)
    this.serving.update(after)
    for (const effect of effects) this.#carryOut(effect, policy)
    if (after === before) return
    this.#options.onChange()
    this.#waiters.wake()
  }

  #enter(state: ServiceState, { giveUpAfter }: Policy): void {
    const { clock, log } = this.#options.system
    this.#note(sinceNow(clock))
    log.say(...narrate(state, { service: this.unit.name, giveUpAfter, ...this.#record }))
  }

  #note(news: Partial<ServiceRecord>): void {
    this.#record = { ...this.#record, ...news }
  }

  #carryOut(effect: Effect, policy: Policy): void {
    const { system, onGiveUp } = this.#options
    switch (effect.type) {
      case 'spawn':
        return system.inBackground(`start ${this.unit.name}`, () => this.#start())
      case 'giveUp':
        return onGiveUp()
      case 'probe':
        return this.#probe(effect.id)
      case 'openGate':
      case 'terminate':
      case 'kill':
      case 'killHung':
      case 'retire':
      case 'finish':
        return this.#generations.carryOut(effect, policy)
    }
  }

  async #start(): Promise<void> {
    this.#note({ starts: this.#record.starts + (this.#isRested ? 0 : 1), lastProbe: undefined })
    this.#isRested = false
    try {
      const { id } = this.#generations.spawn(await this.unit.command(this.#options.scope()))
      this.#send({ type: 'spawned', id })
    } catch (error) {
      this.#options.system.log.say('error', `cannot start ${this.unit.name}: ${(error as Error).message}`)
      this.#note({ lastOutcome: undefined })
      this.#send({ type: 'spawnFailed' })
    }
  }

  /** Only the end of the current generation is an end of the service. */
  #exited(id: GenerationId, outcome: Outcome): void {
    if (id === this.#state.current) this.#note({ lastOutcome: outcome })
    this.#send({ type: 'exited', id })
  }

  #probe(id: GenerationId): void {
    const { system } = this.#options
    this.#watch.stop()
    this.#watch = watchGeneration({
      ...this.#options,
      unit: this.unit,
      pid: this.#generations.get(id)?.process.pid ?? 0,
      onProbed: (trouble) => {
        this.#note({ lastProbe: trouble })
        this.#send({ type: 'probed', id, isUp: trouble === undefined })
      },
      onHung: (why) => {
        system.log.say('error', `${this.unit.name} hangs: ${why}: it is killed and started again`)
        this.#send({ type: 'hung', id })
      },
      probePauseMs: () => probePauseMs(this.#state),
    })
  }
}
