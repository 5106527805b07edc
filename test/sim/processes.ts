import type { Outcome } from '../../src/core/outcome.ts'
import type { Output } from '../../src/system/output.ts'
import type { RunningProcess } from '../../src/system/process.ts'
import type { World } from './world.ts'

/** The processes of one container: the namespace that its PID 1 has. */
export class ProcessTable {
  readonly world: World
  readonly #processes = new Map<number, Process>()
  #lastPid = 1

  constructor(world: World) {
    this.world = world
  }

  get living(): readonly Process[] {
    return [...this.#processes.values()]
  }

  find(pid: number): Process | undefined {
    return this.#processes.get(pid)
  }

  add(process: Process): number {
    this.#lastPid += this.world.random.between(1, 3)
    this.#processes.set(this.#lastPid, process)
    return this.#lastPid
  }

  remove(pid: number): void {
    this.#processes.delete(pid)
  }

  /** PID 1 has ended: the kernel kills all others. */
  killAll(): void {
    for (const process of this.living) process.vanish()
    this.#lastPid = 1
  }
}

/** What a supervisor gets of a process that it starts. Nothing reaches a supervisor that is dead. */
export type Parent = {
  readonly isAlive: boolean
  readonly output: Output | undefined
  /** The command that started it, and with which it ends. */
  readonly owner?: object
}

/** A process, or a group of them: the leader, and members that may outlive it. */
export abstract class Process {
  readonly pid: number
  readonly name: string
  readonly folder: string
  readonly ended: Promise<Outcome>
  protected readonly world: World
  protected readonly table: ProcessTable
  readonly #parent: Parent
  readonly #end = Promise.withResolvers<Outcome>()
  #isAlive = true
  #hasMembers = false

  constructor(table: ProcessTable, name: string, folder: string, parent: Parent) {
    this.world = table.world
    this.table = table
    this.name = name
    this.folder = folder
    this.#parent = parent
    this.ended = this.#end.promise
    this.pid = table.add(this)
    this.world.trace(`${name} ${this.pid} begins`)
  }

  /** The command that it ends with, unless it is the supervisor's. */
  get owner(): object | undefined {
    return this.#parent.owner
  }

  /** Whether the leader lives. */
  get isAlive(): boolean {
    return this.#isAlive
  }

  /** A signal to the leader that it can act on. */
  protected abstract hear(signal: NodeJS.Signals): void

  /** The leader is gone; members may live on. `undefined` when everything is, with the container. */
  protected onEnd(_: Outcome | undefined): void {}

  signal(signal: NodeJS.Signals): void {
    if (!this.#isAlive) return
    this.world.trace(`${this.name} ${this.pid} hears ${signal}`)
    if (signal === 'SIGKILL') this.exit({ code: null, signal })
    else this.hear(signal)
  }

  killGroup(): void {
    this.#hasMembers = false
    this.signal('SIGKILL')
    if (!this.#isAlive) this.table.remove(this.pid)
  }

  /** The port of it. */
  asRunning(): RunningProcess {
    return {
      pid: this.pid,
      ended: this.ended,
      signal: (signal) => this.signal(signal),
      signalGroup: (signal) => (signal === 'SIGKILL' ? this.killGroup() : this.signal(signal)),
      killGroup: () => this.killGroup(),
    }
  }

  /** Gone with the whole container: nobody hears of it. */
  vanish(): void {
    this.#isAlive = false
    this.#hasMembers = false
    this.onEnd(undefined)
    this.table.remove(this.pid)
  }

  /** Does something after a while, unless it has ended by then. */
  protected later(usualMs: number, act: () => void): void {
    this.world.timeline.after(this.world.random.latency(usualMs), () => {
      if (this.#isAlive) act()
    })
  }

  protected print(line: string): void {
    if (this.#parent.isAlive) void this.#parent.output?.write(Buffer.from(`${line}\n`))
  }

  /** The leader ends. With `membersMs` some of its group live that much longer. */
  exit(outcome: Outcome, membersMs = 0): void {
    if (!this.#isAlive) return
    const { world } = this
    this.#isAlive = false
    this.#hasMembers = membersMs > 0
    world.trace(`${this.name} ${this.pid} ends: ${outcome.signal ?? outcome.code}`)
    if (!this.#hasMembers) this.table.remove(this.pid)
    else world.timeline.after(membersMs, () => this.killGroup())
    this.onEnd(outcome)
    const drainMs = world.faults.strikes('output is held open') ? 500 : world.random.between(0, 3)
    world.timeline.after(drainMs, () => {
      if (this.#parent.isAlive) this.#end.resolve(outcome)
    })
  }
}
