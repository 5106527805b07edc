import { hourMs } from '../core/amounts.ts'
import type { Problem, UndoStatus } from '../core/status.ts'
import { reserveBytes } from '../core/space.ts'
import { pauseToPoll } from '../core/timers.ts'
import { inVolume } from '../units/place.ts'
import { keepLog, letGoOfLog, logSince } from '../units/postgres/undo-log.ts'
import { isBaseDue, readNames, usableBases } from '../units/undo.ts'
import type { Instance } from './instance.ts'
import type { Keeper } from './keeper.ts'
import { type Failure, type JobTools, runBackgroundJob } from './background-job.ts'
import type { PastKeeper } from './past.ts'
import { repeat } from './repeat.ts'

/** How often it polls what is free. */
const pollMs = 10_000
/** After a start the first visitors come first. */
const settleMs = 30_000
const askMs = 60_000
/** How old the names of tables may be. */
const namesMs = 600_000
const retryMs = 600_000
const limitMs = hourMs

type Options = JobTools & {
  readonly instance: Pick<Instance, 'inForce' | 'isReady' | 'isStopping' | 'results'> & {
    readonly sleeper: Pick<Instance['sleeper'], 'isAsleep'>
  }
  /** What else needs a base, and takes space. */
  readonly past: Pick<PastKeeper, 'status' | 'end'>
}

/**
 * Has bases made for `supervisor undo`, each by a command in a process of its own, and gives all of the space
 * back where the volume runs full: Postgres comes first. The theory is in `units/undo.ts`.
 */
export class UndoKeeper implements Keeper {
  readonly #options: Options
  readonly #stopping = new AbortController()
  #failure: Failure | undefined
  #askAfterMs = 0
  #hasGivenUp = false

  constructor(options: Options) {
    this.#options = options
  }

  /** Begins once Mathesar is ready. */
  start(): void {
    const { system } = this.#options
    const { clock } = system
    this.#askAfterMs = clock.elapsed() + settleMs
    const pauseMs = (): number => pauseToPoll(clock.now(), pollMs)
    const { signal } = this.#stopping
    repeat(system, { what: 'keep what an undo needs', pauseMs, signal }, () => this.#poll())
  }

  stop(): void {
    this.#stopping.abort(new Error('everything stops'))
  }

  status(): UndoStatus | null {
    if (this.#spaceMiB === 0) return null
    return { from: this.#from, serves: this.#options.past.status() }
  }

  problems(): readonly Problem[] {
    return this.#failure === undefined || this.#spaceMiB === 0 ? [] : [{ unit: 'undo', ...this.#failure }]
  }

  /** A disk that cannot be read here must not cost the rest of the status. */
  get #from(): string | null {
    try {
      const oldest = usableBases(this.#options).at(-1)
      return oldest === undefined ? null : new Date(oldest.endMs).toISOString()
    } catch {
      return null
    }
  }

  get #spaceMiB(): number {
    const { settings, database } = this.#options.instance.inForce
    return database.kind === 'embedded' ? settings.UNDO_SPACE : 0
  }

  async #poll(): Promise<void> {
    const { system, place, instance } = this.#options
    const { undo } = inVolume(place.paths)
    // While all sleeps, nothing is written that could be undone.
    if (this.#stopping.signal.aborted || !instance.isReady || instance.sleeper.isAsleep) return
    if (this.#spaceMiB === 0) {
      if (system.files.isThere(undo)) system.files.remove(undo)
      return
    }
    const freeBytes = system.files.freeSpace(place.paths.data)?.bytes ?? Number.POSITIVE_INFINITY
    if (freeBytes < reserveBytes) return await this.#giveUp()
    if (this.#hasGivenUp && freeBytes < 2 * reserveBytes) return
    if (this.#hasGivenUp) await keepLog(this.#where)
    this.#hasGivenUp = false
    const elapsedMs = system.clock.elapsed()
    if (elapsedMs < this.#askAfterMs) return
    this.#askAfterMs = elapsedMs + askMs
    if (await this.#isDue()) await this.#run()
  }

  async #isDue(): Promise<boolean> {
    const [newest] = usableBases(this.#options)
    const oldMs = this.#options.system.clock.now() - readNames(this.#options).atMs
    if (newest === undefined || Math.abs(oldMs) > namesMs) return true // A clock may have been set back.
    const sinceBytes = await logSince(this.#where, newest)
    return sinceBytes !== undefined && isBaseDue(this.#spaceMiB, sinceBytes)
  }

  async #run(): Promise<void> {
    const { clock } = this.#options.system
    const job = { name: 'undo', args: ['undo', '--scheduled'], niceness: 10, limitMs }
    try {
      this.#failure = await runBackgroundJob(this.#options, job, this.#stopping.signal)
    } catch (error) {
      if (this.#stopping.signal.aborted) return
      this.#failure = { code: 'UNDO_REFUSED', message: (error as Error).message, hint: '' }
    }
    if (this.#failure === undefined) return
    if (this.#failure.code === 'VOLUME_IN_USE') this.#failure = undefined // A backup is at work.
    else this.#askAfterMs = clock.elapsed() + retryMs
  }

  /** Lets go of the log at once, and of the bases. */
  async #giveUp(): Promise<void> {
    const { system, place } = this.#options
    if (this.#hasGivenUp) return
    this.#hasGivenUp = true
    system.log.say('warn', 'the volume is nearly full: what `supervisor undo` needs is given up')
    system.files.remove(inVolume(place.paths).undo)
    await letGoOfLog(this.#where)
    if (this.#options.past.status() !== null) await this.#options.past.end()
  }

  get #where() {
    const { system, place, instance } = this.#options
    return { system, place, inForce: instance.inForce, results: instance.results }
  }
}
