import type { Archive } from '../../http/archives.ts'
import type { BackupWork } from '../../http/console/backups.ts'
import type { Streams, System } from '../../system/ports.ts'
import { runSubcommand } from './subcommand.ts'

/**
 * The backups of the volume, for the console. They are the command's, in a process of its own: what it takes
 * of memory, and the lock that it holds, end with it.
 */
export class BackupCommands {
  readonly #system: System & Streams
  readonly #isExternal: () => boolean
  #listing: Promise<readonly Archive[]> | undefined
  #work: BackupWork

  constructor(system: System & Streams, isExternal: () => boolean) {
    this.#system = system
    this.#isExternal = isExternal
  }

  get work(): BackupWork {
    return this.#work
  }

  /** Lists them, once for all who ask meanwhile. */
  list(): Promise<readonly Archive[]> {
    this.#listing ??= runSubcommand(this.#system, ['backup', 'list', '--json'])
      .then(({ output }) => JSON.parse(output) as readonly Archive[])
      .finally(() => {
        this.#listing = undefined
      })
    return this.#listing
  }

  /** Begins one, unless one is under way. */
  begin(): void {
    if (this.#work?.is === 'under way') return
    const { clock, inBackground } = this.#system
    this.#work = { is: 'under way', since: new Date(clock.now()).toISOString() }
    inBackground('back up', async () => {
      try {
        await runSubcommand(this.#system, ['backup', 'volume', ...(this.#isExternal() ? ['--portable'] : [])])
        this.#work = { is: 'done' }
      } catch (error) {
        this.#work = { is: 'failed', why: (error as Error).message }
        throw error
      }
    })
  }
}
