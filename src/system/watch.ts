import { statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { FSWatcher } from 'chokidar'
import { follow, isSame, type Pending, type Seen, type SettlingRules, waitMsOf } from '../core/settling.ts'
import { pauseToPoll } from '../core/timers.ts'
import { SupervisorError } from '../errors.ts'
import { readAll } from './config-files.ts'
import { findMounts, type MountOfFile } from './mounts.ts'

const soonMs = 10
/** Some file systems do not report every change: after this many polls without one, all files are read. */
const pollsPerRead = 2
/** A writer that goes on for this many times `emptyMs` is not waited for. */
const patience = 10

export type Watch = {
  /**
   * Reads until the state has settled. What it returns still comes through `onChange`, if it is news there.
   */
  readonly readSettled: () => Promise<Seen>
  readonly close: () => Promise<void>
}

export type WatchOptions = {
  readonly folder: string
  readonly names: readonly string[]
  readonly onChange: (seen: Seen) => void
  readonly onTrouble: (why: string) => void
  readonly pollMs?: number
  readonly settleMs?: number
  readonly emptyMs?: number
}

/** What the kernel says about the files without a read of them. */
const stampOf = (folder: string, names: readonly string[]): string =>
  names
    .map((name) => {
      try {
        const stats = statSync(join(folder, name), { throwIfNoEntry: false })
        return stats && `${stats.dev} ${stats.ino} ${stats.size} ${stats.mtimeMs} ${stats.ctimeMs}`
      } catch (error) {
        return (error as Error).message
      }
    })
    .join(' | ')

/**
 * Calls `onEvent` as soon as something changes in the folder. Without it, a change is seen by the next poll.
 */
class Accelerator {
  readonly #watcher: Promise<FSWatcher | undefined>
  readonly #onFailure: (why: string) => void
  readonly #folder: string
  #isClosed = false
  #hasFailed = false

  constructor(folder: string, onEvent: () => void, onFailure: (why: string) => void) {
    this.#folder = folder
    this.#onFailure = onFailure
    this.#watcher = this.#start(onEvent)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await (await this.#watcher)?.close().catch(() => undefined)
  }

  /** chokidar is loaded here and not with this module: it costs a boot 10 ms and more. */
  async #start(onEvent: () => void): Promise<FSWatcher | undefined> {
    let watcher: FSWatcher | undefined
    const fail = (error: unknown): void => this.#fail(error, watcher)
    try {
      const { watch } = await import('chokidar')
      if (this.#isClosed) return undefined
      // Its events say "look", not what: raw ones come at once, and also for the ..data link of a ConfigMap.
      watcher = watch(this.#folder, { depth: 0, followSymlinks: false, ignoreInitial: true, atomic: false })
      watcher.on('raw', onEvent).on('error', fail)
    } catch (error) {
      fail(error)
    }
    return watcher
  }

  #fail(error: unknown, watcher: FSWatcher | undefined): void {
    if (this.#hasFailed || this.#isClosed) return
    this.#hasFailed = true
    const { code = '', message } = error as NodeJS.ErrnoException
    const isUsedUp = ['EMFILE', 'ENFILE', 'ENOSPC'].includes(code)
    this.#onFailure(isUsedUp ? 'inotify is used up' : `cannot watch ${this.#folder}: ${message}`)
    watcher?.close().catch(() => undefined)
  }
}

/** See `watchFiles`. */
class Watcher implements Watch {
  readonly #options: WatchOptions
  readonly #rules: SettlingRules
  readonly #pollMs: number
  readonly #mounts: ReadonlyMap<string, MountOfFile>
  readonly #accelerator: Accelerator
  #reported: Seen
  #pending: Pending | undefined
  #timer: NodeJS.Timeout | undefined
  /** When the timer is due. */
  #dueAtMs = Number.POSITIVE_INFINITY
  #stamp = ''
  #pollsWithoutRead = 0
  #isClosed = false

  constructor(options: WatchOptions) {
    const { folder, names, onTrouble, pollMs = 5000, settleMs = 100, emptyMs = 1500 } = options
    this.#options = options
    this.#rules = { names, settleMs, emptyMs }
    this.#pollMs = pollMs
    this.#mounts = findMounts(folder, names)
    this.#reported = this.#read()
    this.#pollLater()
    this.#accelerator = new Accelerator(
      folder,
      () => this.#checkIn(soonMs),
      (why) => onTrouble(`${why}: changes are seen within ${pollMs / 1000} s by polling`),
    )
  }

  async readSettled(): Promise<Seen> {
    const limitMs = patience * this.#rules.emptyMs
    const endMs = performance.now() + limitMs
    let pending: Pending | undefined
    while (performance.now() < endMs) {
      const seen = this.#read()
      if (isSame(this.#rules, seen, this.#reported)) return seen
      pending = follow(this.#rules, this.#reported, pending, seen, performance.now())
      if (performance.now() >= pending.settledAtMs) return seen
      await delay(waitMsOf(this.#rules, pending, performance.now()))
    }
    throw new SupervisorError(
      'SETTING_INVALID',
      `cannot read the files in ${this.#options.folder}: they have been changing for ${limitMs / 1000} s`,
      { hint: 'Try again when their writer has finished.' },
    )
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    await this.#accelerator.close()
  }

  #read(): Seen {
    return readAll(this.#options.folder, this.#options.names, this.#mounts)
  }

  #checkIn(ms: number): void {
    const atMs = performance.now() + ms
    if (this.#isClosed || this.#dueAtMs <= atMs) return
    clearTimeout(this.#timer)
    this.#dueAtMs = atMs
    this.#timer = setTimeout(() => this.#check(), ms)
  }

  #pollLater(): void {
    const pauseMs = pauseToPoll(Date.now(), this.#pollMs)
    this.#dueAtMs = performance.now() + pauseMs
    this.#timer = setTimeout(() => this.#poll(), pauseMs)
  }

  /** Reads only what looks changed, and all every few times. */
  #poll(): void {
    const before = this.#stamp
    this.#stamp = stampOf(this.#options.folder, this.#options.names)
    this.#pollsWithoutRead++
    if (this.#stamp !== before || this.#pollsWithoutRead >= pollsPerRead) this.#check()
    else this.#pollLater()
  }

  #check(): void {
    this.#dueAtMs = Number.POSITIVE_INFINITY
    this.#pollsWithoutRead = 0
    const seen = this.#read()
    const nowMs = performance.now()
    const pending = isSame(this.#rules, seen, this.#reported)
      ? undefined
      : follow(this.#rules, this.#reported, this.#pending, seen, nowMs)
    const isSettled = pending !== undefined && nowMs >= pending.settledAtMs
    this.#pending = isSettled ? undefined : pending
    if (isSettled) this.#reported = pending.seen
    if (this.#pending !== undefined) this.#checkIn(waitMsOf(this.#rules, this.#pending, nowMs))
    else if (!this.#isClosed) this.#pollLater()
    if (isSettled) this.#options.onChange(pending.seen)
  }
}

/**
 * Reports every change of `names` in `folder`: of content, and that a file became stale. The truth comes from
 * polls: every `pollMs` it compares the content of all that looks changed, and now and then of everything.
 * chokidar on the folder only makes that sooner. A change is reported once it has settled (see
 * `core/settling.ts`). `onTrouble` says why changes are seen late. The first state is that of this call.
 */
export const watchFiles = (options: WatchOptions): Watch => new Watcher(options)
