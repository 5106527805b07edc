import {
  follow,
  isSame,
  type Pending,
  type Seen,
  type SettlingRules,
  waitMsOf,
} from '../../src/core/settling.ts'
import { SupervisorError } from '../../src/errors.ts'
import type { Watch, WatchOptions } from '../../src/system/watch.ts'
import type { Actor } from './actor.ts'

const patience = 10

/** `system/watch.ts` in virtual time: when a change has settled the real rules say. */
export class SimulatedWatch {
  readonly #supervisor: Actor
  readonly #options: WatchOptions
  readonly #rules: SettlingRules
  readonly #pollMs: number
  readonly #unwatch: () => void
  #reported: Seen
  #pending: Pending | undefined
  #cancel = (): void => {}
  #dueAtMs = Number.POSITIVE_INFINITY
  #isClosed = false

  constructor(supervisor: Actor, options: WatchOptions) {
    const { names, pollMs = 5000, settleMs = 100, emptyMs = 1500 } = options
    this.#supervisor = supervisor
    this.#options = options
    this.#rules = { names, settleMs, emptyMs }
    this.#pollMs = pollMs
    this.#reported = this.#read()
    this.#checkIn(pollMs)
    this.#unwatch = this.#accelerate()
  }

  asWatch(): Watch {
    return { readSettled: () => this.#readSettled(), close: async () => this.close() }
  }

  close(): void {
    this.#isClosed = true
    this.#cancel()
    this.#unwatch()
    this.#supervisor.watches.delete(this)
  }

  #accelerate(): () => void {
    const { faults, volume } = this.#supervisor.world
    const { folder, onTrouble } = this.#options
    if (faults.strikes('watcher without inotify')) {
      onTrouble('inotify is used up: changes are seen within 5 s by polling')
      return () => {}
    }
    return volume.watch((path) => {
      if (path.startsWith(folder)) this.#checkIn(10)
    })
  }

  #read(): Seen {
    const { folder, names } = this.#options
    const files: Record<string, string | undefined> = {}
    const unusable: Record<string, string> = {}
    for (const name of names) {
      try {
        files[name] = this.#supervisor.system.readConfigFiles(folder, [name]).files[name]
      } catch (error) {
        unusable[name] = (error as Error).message
      }
    }
    return { files, stale: {}, unusable }
  }

  #checkIn(ms: number): void {
    const { clock } = this.#supervisor
    const atMs = clock.now() + ms
    if (this.#isClosed || this.#dueAtMs <= atMs) return
    this.#cancel()
    this.#dueAtMs = atMs
    this.#cancel = clock.after(ms, () => this.#check())
  }

  #check(): void {
    const nowMs = this.#supervisor.clock.now()
    this.#dueAtMs = Number.POSITIVE_INFINITY
    const seen = this.#read()
    const pending = isSame(this.#rules, seen, this.#reported)
      ? undefined
      : follow(this.#rules, this.#reported, this.#pending, seen, nowMs)
    const isSettled = pending !== undefined && nowMs >= pending.settledAtMs
    this.#pending = isSettled ? undefined : pending
    this.#checkIn(this.#pending ? waitMsOf(this.#rules, this.#pending, nowMs) : this.#pollMs)
    if (!isSettled) return
    this.#reported = pending.seen
    this.#options.onChange(pending.seen)
  }

  /** Not by the clock of the port: the real one waits by a timer of its own. */
  #rest(ms: number): Promise<void> {
    const { world } = this.#supervisor
    return new Promise((resolve) => {
      world.timeline.after(ms, () => {
        if (this.#supervisor.isAlive) resolve()
      })
    })
  }

  async #readSettled(): Promise<Seen> {
    const { clock } = this.#supervisor
    const endMs = clock.now() + patience * this.#rules.emptyMs
    let pending: Pending | undefined
    while (clock.now() < endMs) {
      const seen = this.#read()
      if (isSame(this.#rules, seen, this.#reported)) return seen
      pending = follow(this.#rules, this.#reported, pending, seen, clock.now())
      if (clock.now() >= pending.settledAtMs) return seen
      await this.#rest(waitMsOf(this.#rules, pending, clock.now()))
    }
    throw new SupervisorError('SETTING_INVALID', 'cannot read the files: they have been changing for 15 s')
  }
}
