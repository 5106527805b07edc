import { dayMs } from '../core/amounts.ts'
import type { BackupStatus, Problem } from '../core/status.ts'
import type { ErrorCode } from '../errors.ts'
import { dueMsOf, isLate, type Runs, type Schedules, schedulesOf } from '../settings/schedule.ts'
import {
  type BackupRecord,
  changeRecord,
  type MadeBackup,
  type ProvedBackup,
  readRecord,
} from '../units/backup-record.ts'
import { BackupPlaces } from './backup-places.ts'
import type { Instance } from './instance.ts'
import type { Keeper } from './keeper.ts'
import { type Failure, type JobTools, runBackgroundJob } from './background-job.ts'
import { repeat } from './repeat.ts'

/** The clock may be set, and another command may make a backup. */
const pollMs = 60_000
const soonMs = 10_000
/** After a start the first visitors come first. */
const settleMs = 20_000
/** Another operation had the volume, or nobody asked for what cannot be done. */
const busyWaitMs = 60_000
const impossibleWaitMs = dayMs
/** A run that takes longer hangs. */
const runLimitMs = dayMs

const jobs = ['backup', 'drill'] as const
type Job = (typeof jobs)[number]

/** How much a job stands back: a drill takes what nobody else wants of the processors. */
const niceness: Readonly<Record<Job, number>> = { backup: 5, drill: 19 }

/** What a job types. The archive is named: the first place that has it is enough. */
const argumentsOf = (job: Job, { made }: BackupRecord): readonly string[] =>
  job === 'backup' ? ['backup', '--scheduled'] : ['backup', 'verify', made?.name ?? 'newest']

/** Of a drill that nobody asked for. */
const harmless: readonly ErrorCode[] = ['VOLUME_FULL', 'BACKUP_LOCKED']

const iso = (ms: number): string => new Date(ms).toISOString()

const lastOf = ({ name, atMs, tookMs, bytes, places }: MadeBackup): BackupStatus['last'] => ({
  name,
  at: iso(atMs),
  tookMs,
  bytes,
  places,
})
const provedOf = ({ name, atMs, restoreMs }: ProvedBackup): BackupStatus['proved'] => ({
  name,
  at: iso(atMs),
  restoreMs,
})

type Options = JobTools & {
  readonly instance: Pick<Instance, 'inForce' | 'isReady' | 'isStopping' | 'subscribe'>
}

/**
 * Makes and proves backups when they are due, each in a process of its own: what it takes of memory is gone
 * afterwards, and nothing of it can hurt PID 1. When what is due is decided in `settings/schedule.ts`.
 */
export class Backups implements Keeper {
  readonly #options: Options
  readonly #troubles = new Map<Job, { readonly failure: Failure; readonly atMs: number }>()
  readonly #waits = new Map<Job, number>()
  /** When the last good run began, also where it leaves nothing in the record. */
  readonly #doneMs = new Map<Job, number>()
  readonly #stopping = new AbortController()
  readonly #places: BackupPlaces
  #readySinceMs: number | undefined
  #running: Job | undefined

  constructor(options: Options) {
    this.#options = options
    this.#places = new BackupPlaces(options)
  }

  /** Begins to look at the schedule. Nothing is due before it is ready: a boot need not ask. */
  start(): void {
    const { system, instance } = this.#options
    const follow = (): void => {
      if (instance.isStopping) this.stop()
      else if (instance.isReady) this.#readySinceMs ??= this.#nowMs
    }
    follow()
    instance.subscribe(follow)
    this.#places.poll()
    const { signal } = this.#stopping
    const pauseMs = (): number => this.#pauseMs()
    repeat(system, { what: 'check the schedule of backups', pauseMs, signal }, () => this.#poll())
  }

  /** Ends what runs: Postgres would wait for it. */
  stop(): void {
    this.#stopping.abort(new Error('everything stops'))
  }

  problems(): readonly Problem[] {
    const failed = jobs.flatMap((job) => {
      const { failure } = this.#troubles.get(job) ?? {}
      return failure === undefined ? [] : [{ unit: job, ...failure }]
    })
    return failed.length > 0 ? failed : [...this.#places.problems(), ...this.#lateness()]
  }

  status(): BackupStatus {
    const { made, proved } = this.#record
    // Of no use before, and to look it up takes a boot some milliseconds.
    const dueMs = this.#readySinceMs === undefined ? Number.POSITIVE_INFINITY : this.#dueMs('backup')
    return {
      running: this.#running ?? null,
      nextAt: Number.isFinite(dueMs) ? iso(dueMs) : null,
      last: made === undefined ? null : lastOf(made),
      proved: proved === undefined ? null : provedOf(proved),
    }
  }

  get #nowMs(): number {
    return this.#options.system.clock.now()
  }

  /** Read each time: other commands change it. */
  get #record(): BackupRecord {
    return readRecord(this.#options)
  }

  get #schedules(): Schedules {
    return schedulesOf(this.#options.instance.inForce)
  }

  /** What is known of the good runs of a job; `undefined` where it has none. */
  #runsOf(job: Job): Runs | undefined {
    const schedule = this.#schedules[job]
    const { sinceMs, made, proved } = this.#record
    if (schedule === undefined || (job === 'drill' && made === undefined)) return undefined
    const notedMs = (job === 'backup' ? made : proved)?.atMs ?? sinceMs ?? this.#readySinceMs
    return { schedule, sinceMs: Math.max(notedMs ?? this.#nowMs, this.#doneMs.get(job) ?? 0) }
  }

  #dueMs(job: Job): number {
    const runs = this.#runsOf(job)
    if (runs === undefined) return Number.POSITIVE_INFINITY
    const failedMs = this.#troubles.get(job)?.atMs
    return dueMsOf({ ...runs, failedMs, waitUntilMs: this.#waits.get(job) }, this.#nowMs)
  }

  #lateness(): readonly Problem[] {
    const runs = this.#runsOf('backup')
    if (runs === undefined || this.#readySinceMs === undefined || this.#running === 'backup') return []
    const dueMs = dueMsOf(runs, this.#nowMs)
    if (!isLate(dueMs, this.#readySinceMs, this.#nowMs)) return []
    return [
      {
        unit: 'backup',
        code: 'BACKUP_LATE',
        message: `a backup is late: it was due at ${iso(dueMs)}`,
        hint: 'Another backup or restore may be at work, or the container is not ready.',
      },
    ]
  }

  #pauseMs(): number {
    const dueMs = Math.min(...jobs.map((job) => this.#dueMs(job))) - this.#nowMs
    return Math.min(Math.max(dueMs, soonMs), pollMs)
  }

  async #poll(): Promise<void> {
    if (this.#readySinceMs === undefined) return
    this.#readySinceMs = Math.min(this.#readySinceMs, this.#nowMs) // A clock may have been set back.
    this.#begin()
    this.#places.poll()
    if (!this.#options.instance.isReady || this.#nowMs - this.#readySinceMs < settleMs) return
    const [job] = jobs.toSorted((one, other) => this.#dueMs(one) - this.#dueMs(other))
    if (this.#dueMs(job!) <= this.#nowMs) await this.#run(job!)
  }

  /** Notes since when there is a schedule: a container that never runs at night is not passed over. */
  #begin(): void {
    if (this.#record.sinceMs !== undefined || this.#schedules.backup === undefined) return
    try {
      changeRecord(this.#options, () => ({ sinceMs: this.#readySinceMs }))
    } catch {
      /* What cannot be written now is noted with the first backup. */
    }
  }

  async #run(job: Job): Promise<void> {
    const beganMs = this.#nowMs
    this.#running = job
    this.#waits.delete(job)
    try {
      const args = argumentsOf(job, this.#record)
      const how = { name: job, args, niceness: niceness[job], limitMs: runLimitMs }
      const failure = await runBackgroundJob(this.#options, how, this.#stopping.signal)
      if (failure === undefined) this.#doneMs.set(job, beganMs)
      this.#note(job, failure)
    } catch (error) {
      if (this.#stopping.signal.aborted) return
      this.#note(job, { code: 'BACKUP_FAILED', message: (error as Error).message, hint: '' })
    } finally {
      this.#running = undefined
    }
  }

  #note(job: Job, failure: Failure | undefined): void {
    const nowMs = this.#nowMs
    if (failure === undefined) return void this.#troubles.delete(job)
    if (failure.code === 'VOLUME_IN_USE') return void this.#waits.set(job, nowMs + busyWaitMs)
    if (job === 'drill' && !this.#schedules.isDrillAsked && harmless.includes(failure.code))
      return void this.#waits.set(job, nowMs + impossibleWaitMs)
    this.#troubles.set(job, { failure, atMs: nowMs })
    this.#options.system.log.say('warn', `${job} failed: ${failure.message}`)
  }
}
