import type { Output } from '../../src/system/output.ts'
import type { System } from '../../src/system/ports.ts'
import { Config } from '../../src/daemon/config/config.ts'
import { fallBack, isUnproven, readSetup, type Setup } from '../../src/daemon/config/boot-trial.ts'
import { startHolding } from '../../src/daemon/holding.ts'
import { Ending } from '../../src/daemon/ending.ts'
import { createInstance, type Instance } from '../../src/daemon/instance.ts'
import { StopRequests } from '../../src/daemon/stop-requests.ts'
import { type SupervisorError, toSupervisorError } from '../../src/errors.ts'
import { secretsOf } from '../../src/settings/secrets.ts'
import { SupervisorClock } from './clock.ts'
import type { Container } from './container.ts'
import { SupervisorFiles } from './files.ts'
import { Dead } from './dead.ts'
import type { SimulatedGate } from './gate.ts'
import type { Parent } from './processes.ts'
import { createSimulatedSystem } from './system.ts'
import type { SimulatedWatch } from './watch.ts'
import type { World } from './world.ts'

export type StopSignal = 'SIGTERM' | 'SIGHUP' | 'SIGUSR1'

/** One process of the supervisor, from its start to its end or death. It does what `cli/run.ts` does. */
export class Supervisor {
  readonly name: string
  readonly container: Container
  readonly clock: SupervisorClock
  readonly files: SupervisorFiles
  readonly gates: SimulatedGate[] = []
  /** Each closes a connection. */
  readonly sessions = new Set<() => void>()
  readonly watches = new Set<SimulatedWatch>()
  readonly system: System
  instance: Instance | undefined
  stops: StopRequests | undefined
  config: Config | undefined
  #isAlive = true
  #early: StopSignal[] = []
  #callsLeft = Number.POSITIVE_INFINITY
  #die = (): void => {}

  constructor(container: Container, name: string) {
    this.container = container
    this.name = name
    this.clock = new SupervisorClock(container.world)
    this.files = new SupervisorFiles(this)
    this.system = container.world.mutant.changeSystem(createSimulatedSystem(this))
  }

  get world(): World {
    return this.container.world
  }
  get isAlive(): boolean {
    return this.#isAlive
  }

  /** Begins a call of the system: the dead make none, and any may be the last. */
  call(): void {
    if (!this.#isAlive) throw new Dead('the supervisor is dead')
    if (--this.#callsLeft > 0) return
    this.#die()
    throw new Dead('the supervisor died in a call')
  }

  /** Lets it die within the call that comes after so many. */
  dieAfter(calls: number, die: () => void): void {
    this.#callsLeft = calls
    this.#die = die
  }

  /** Nothing that it does has an effect any more. */
  die(): void {
    this.#isAlive = false
    this.clock.stop()
    for (const watch of this.watches) watch.close()
    for (const gate of this.gates) gate.drop()
    for (const close of this.sessions) close()
  }

  asParent(output: Output | undefined): Parent {
    const isAlive = (): boolean => this.#isAlive
    return {
      output,
      get isAlive() {
        return isAlive()
      },
    }
  }

  lock(path: string): boolean {
    this.call()
    this.container.diskOf(path).write(path, '')
    return !this.container.isInVolume(path) || this.world.lockFor(this)
  }

  signal(signal: StopSignal): void {
    const { instance, config } = this
    if (instance === undefined || config === undefined) return void this.#early.push(signal)
    this.world.trace(`${this.name} hears ${signal}`)
    if (signal === 'SIGHUP') return config.reload()
    if (signal === 'SIGUSR1') return instance.forward(signal)
    this.stops?.add()
  }

  start(): void {
    this.#run().catch((error: unknown) => {
      if (!this.#isAlive) return
      this.world.violate('internal', `the supervisor threw ${(error as Error).stack}`)
    })
  }

  async #run(): Promise<void> {
    const setup = await this.#read()
    if (setup === undefined || !this.#isAlive) return
    const { system } = this
    const { configuration } = setup
    system.log.addSecret(...secretsOf(configuration))
    this.world.oracle.seeBoot(this, setup)
    const instance = createInstance({
      system,
      place: setup.place,
      units: this.world.mutant.units,
      inForce: configuration,
      startedAtMs: this.clock.now(),
      carrying: { carry: async () => {}, letGo: () => () => {} },
      isUnproven: () => isUnproven(setup),
    })
    const stopHolding = startHolding({
      system,
      place: setup.place,
      resultsOf: () => instance.results,
      onLost: ({ message }) => this.world.violate('internal', message),
    })
    const ending = new Ending()
    const config = new Config(system, setup, instance, ending)
    this.instance = instance
    this.stops = new StopRequests(system, instance)
    this.config = config
    instance.subscribe((event) => {
      if (event.type === 'ready' && this.#isAlive) this.container.onReady(this)
    })
    for (const signal of this.#early) this.signal(signal)
    if (!instance.isStopping) system.inBackground('start', () => instance.start())
    const error = await instance.ended
    stopHolding()
    await config.close()
    if (!this.#isAlive) return
    this.container.checkEnd(this)
    const mayBootAgain = !instance.wasReady && !this.stops?.isAsked
    if (error && mayBootAgain && (await fallBack(system, setup, error, this.clock.now())))
      return this.container.startAgain(this, error.code)
    if (ending.isStartingOver && !this.stops?.isAsked)
      return this.container.startAgain(this, 'changed settings')
    this.container.exit(this, error)
  }

  async #read(): Promise<Setup | undefined> {
    try {
      return await readSetup(this.system, this.container.place, this.system.lock)
    } catch (error) {
      if (this.#isAlive) this.container.exit(this, toSupervisorError(error))
      return undefined
    }
  }
}

export type Ended = { readonly supervisor: Supervisor; readonly error: SupervisorError | undefined }
