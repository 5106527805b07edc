import type { Output } from '../../src/system/output.ts'
import type { Streams, System } from '../../src/system/ports.ts'
import { SupervisorClock } from './clock.ts'
import type { Container } from './container.ts'
import { SupervisorFiles } from './files.ts'
import { Dead } from './dead.ts'
import type { SimulatedGate } from './gate.ts'
import type { Parent } from './processes.ts'
import { createSimulatedStreams } from './streams.ts'
import { createSimulatedSystem } from './system.ts'
import type { SimulatedWatch } from './watch.ts'
import type { World } from './world.ts'

/** A process of ours, from its start to its end or death: the supervisor, or a command beside it. */
export abstract class Actor {
  readonly name: string
  readonly container: Container
  readonly clock: SupervisorClock
  readonly files: SupervisorFiles
  readonly gates: SimulatedGate[] = []
  /** Each closes a connection. */
  readonly sessions = new Set<() => void>()
  readonly watches = new Set<SimulatedWatch>()
  readonly system: System & Streams
  #isAlive = true
  #callsLeft = Number.POSITIVE_INFINITY
  #die = (): void => {}

  constructor(container: Container, name: string) {
    this.container = container
    this.name = name
    this.clock = new SupervisorClock(container.world)
    this.files = new SupervisorFiles(this)
    const { changeSystem, changeStreams = (streams) => streams } = container.world.mutant
    const system = changeSystem(createSimulatedSystem(this))
    this.system = { ...system, ...changeStreams(createSimulatedStreams(this), system) }
  }

  get world(): World {
    return this.container.world
  }
  get isAlive(): boolean {
    return this.#isAlive
  }

  /** Begins a call of the system: the dead make none, and any may be the last. */
  call(): void {
    if (!this.#isAlive) throw new Dead(`${this.name} is dead`)
    if (--this.#callsLeft > 0) return
    this.#die()
    throw new Dead(`${this.name} died in a call`)
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
    this.world.unlock(this)
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
    return !this.container.isInVolume(path) || this.world.lock(path, this)
  }
}
