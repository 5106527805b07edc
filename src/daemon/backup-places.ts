import type { Problem } from '../core/status.ts'
import type { SupervisorError } from '../errors.ts'
import type { System } from '../system/ports.ts'
import { whyUnusable } from '../units/backup-folder.ts'
import type { Place } from '../units/place.ts'
import type { Instance } from './instance.ts'

type Options = {
  readonly system: System
  readonly place: Place
  readonly instance: Pick<Instance, 'inForce'>
}

/** The folders of BACKUP_TO: one that is not mounted is told before an archive is due. */
export class BackupPlaces {
  readonly #options: Options
  #unusable: ReadonlyMap<string, SupervisorError> = new Map()

  constructor(options: Options) {
    this.#options = options
  }

  poll(): void {
    const { system } = this.#options
    const before = this.#unusable
    this.#unusable = whyUnusable(this.#options, this.#names)
    for (const [name, { message, hint }] of this.#unusable)
      if (!before.has(name)) system.log.say('warn', `${message}. ${hint}`)
  }

  /** As last seen, of those that are still named. */
  problems(): readonly Problem[] {
    return [...this.#unusable]
      .filter(([name]) => this.#names.includes(name))
      .map(([, { code, message, hint }]) => ({ unit: 'backup', code, message, hint }))
  }

  get #names(): readonly string[] {
    return this.#options.instance.inForce.settings.BACKUP_TO
  }
}
