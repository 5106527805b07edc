import { dayMs, hourMs, MiB } from '../core/amounts.ts'
import { parseReleases, type Release, updateIn, type UpdateStatus } from '../core/releases.ts'
import type { System } from '../system/ports.ts'
import { readAppVersion } from '../units/manifest.ts'
import { inVolume, type Place } from '../units/place.ts'
import type { Instance } from './instance.ts'
import type { Keeper } from './keeper.ts'

/** How long after it is ready it asks first, up to an hour later: a container of minutes asks nobody. */
const settleMs = 600_000
const pollMs = hourMs
const timeoutMs = 5000
const limitBytes = MiB

/** What the volume remembers, so that a start does not ask again. */
type UpdateRecord = { readonly askedMs: number; readonly releases: readonly Release[] }

type Options = {
  readonly system: System
  readonly place: Place
  readonly instance: Pick<Instance, 'inForce' | 'isStopping'>
}

/**
 * Asks once a day which releases of Mathesar there are. The request says nothing of the installation, nobody
 * waits for it, and what fails is tried again a day later.
 */
export class Updates implements Keeper {
  readonly #options: Options
  readonly #stopping = new AbortController()
  #record: UpdateRecord | undefined
  #present: string | null | undefined
  #cancel = (): void => {}

  constructor(options: Options) {
    this.#options = options
  }

  /** Begins once Mathesar is ready. */
  start(): void {
    const { system } = this.#options
    this.#pollIn(settleMs + system.random() * pollMs)
  }

  stop(): void {
    this.#cancel()
    this.#stopping.abort(new Error('everything stops'))
  }

  /** The newest Mathesar, where it is newer than the one of this image. */
  status(): UpdateStatus | null {
    const { instance, system, place } = this.#options
    if (instance.inForce.settings.UPDATE_NOTICE === 'off') return null
    this.#present ??= readAppVersion({ system, place })
    return this.#present === null ? null : updateIn(this.#known.releases, this.#present)
  }

  get #path(): string {
    return inVolume(this.#options.place.paths).updateRecord
  }

  /** Only the supervisor's user writes there. */
  get #known(): UpdateRecord {
    if (this.#record !== undefined) return this.#record
    try {
      const { files } = this.#options.system
      const record = JSON.parse(files.readIfThere(this.#path) ?? '') as UpdateRecord
      if (Array.isArray(record.releases)) return (this.#record = record)
    } catch {
      /* There is none, or it is spoilt. */
    }
    return (this.#record = { askedMs: 0, releases: [] })
  }

  #note(record: UpdateRecord): void {
    this.#record = record
    try {
      this.#options.system.files.writeWhole(this.#path, `${JSON.stringify(record)}\n`, 0o600)
    } catch {
      /* On a volume that cannot be written it is known until the next start. */
    }
  }

  #pollIn(ms: number): void {
    const { clock, inBackground } = this.#options.system
    this.#cancel = clock.after(ms, () => {
      this.#pollIn(pollMs)
      inBackground('ask for updates', () => this.#poll())
    })
  }

  async #poll(): Promise<void> {
    const { instance, system } = this.#options
    const { UPDATE_NOTICE: url } = instance.inForce.settings
    const nowMs = system.clock.now()
    const sinceMs = nowMs - this.#known.askedMs
    if (url === 'off' || instance.isStopping || (sinceMs >= 0 && sinceMs < dayMs)) return
    this.#note({ ...this.#known, askedMs: nowMs })
    try {
      const text = await system.httpRead(url, { timeoutMs, limitBytes }, this.#stopping.signal)
      this.#note({ askedMs: nowMs, releases: parseReleases(text) })
    } catch (error) {
      system.log.say('debug', `cannot ask for updates: ${(error as Error).message}`)
    }
  }
}
