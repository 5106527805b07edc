import { createCarrying } from '../../src/daemon/carrying.ts'
import { Config } from '../../src/daemon/config/config.ts'
import { fallBack, isUnproven, readSetup, type Setup } from '../../src/daemon/config/boot-trial.ts'
import { createHolding } from '../../src/daemon/holding.ts'
import { Ending } from '../../src/daemon/ending.ts'
import { Instance } from '../../src/daemon/instance.ts'
import { Keepers } from '../../src/daemon/keeper.ts'
import { StopRequests } from '../../src/daemon/stop-requests.ts'
import { type SupervisorError, toSupervisorError } from '../../src/errors.ts'
import { secretsOf } from '../../src/settings/secrets.ts'
import { resumeSwap } from '../../src/units/swap.ts'
import { Actor } from './actor.ts'

export type StopSignal = 'SIGTERM' | 'SIGHUP' | 'SIGUSR1'

/** One process of the supervisor. It does what `cli/run/daemon.ts` does. */
export class Supervisor extends Actor {
  instance: Instance | undefined
  stops: StopRequests | undefined
  config: Config | undefined
  ending: Ending | undefined
  #early: StopSignal[] = []

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
      if (!this.isAlive) return
      this.world.violate('internal', `the supervisor threw ${(error as Error).stack}`)
    })
  }

  async #run(): Promise<void> {
    const setup = await this.#read()
    if (setup === undefined || !this.isAlive) return
    const { system } = this
    const { configuration } = setup
    system.log.addSecret(...secretsOf(configuration))
    this.world.oracle.seeBoot(this, setup)
    const instance = new Instance({
      system,
      place: setup.place,
      units: this.world.mutant.units,
      inForce: configuration,
      startedAtMs: this.clock.now(),
      carrying: createCarrying({ system, place: setup.place, program: ['supervisor'] }),
      isUnproven: () => isUnproven(setup),
    })
    const keepers = new Keepers()
    keepers.add(
      'boot',
      createHolding({
        system,
        place: setup.place,
        resultsOf: () => instance.results,
        onLost: ({ message }) => this.world.violate('internal', message),
      }),
    )
    keepers.start('boot')
    const ending = new Ending()
    const config = new Config(system, setup, instance, ending)
    this.instance = instance
    this.stops = new StopRequests(system, instance)
    this.config = config
    this.ending = ending
    instance.subscribe((event) => {
      if (event.type === 'ready' && this.isAlive) this.container.onReady(this)
    })
    for (const signal of this.#early) this.signal(signal)
    if (!instance.isStopping) system.inBackground('start', () => instance.start())
    const error = await instance.ended
    await keepers.stop()
    await config.close()
    if (!this.isAlive) return
    this.container.checkEnd(this)
    const mayBootAgain = !instance.wasReady && !this.stops?.isAsked && !ending.isStartingOver
    if (error && mayBootAgain && (await fallBack(system, setup, error, this.clock.now())))
      return this.container.startAgain(this, error.code)
    if (ending.isStartingOver && !this.stops?.isAsked)
      return this.container.startAgain(this, 'changed settings')
    this.container.exit(this, error)
  }

  async #read(): Promise<Setup | undefined> {
    const { system, container, world } = this
    const { place } = container
    try {
      resumeSwap({ system, place }, system.lock)
      world.oracle.sides.seeBoot()
      return await readSetup(system, place, system.lock)
    } catch (error) {
      if (this.isAlive) container.exit(this, toSupervisorError(error))
      return undefined
    }
  }
}

export type Ended = { readonly supervisor: Supervisor; readonly error: SupervisorError | undefined }
