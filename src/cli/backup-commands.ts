import { SupervisorError } from '../errors.ts'
import { inWords } from '../core/outcome.ts'
import type { Archive, BackupWork } from '../http/console/backups.ts'
import { environment } from '../system/environment.ts'
import type { ProgramResult, Streams, System } from '../system/ports.ts'
import { ownProgram } from './boot-again.ts'

/** A list of archives is not longer. */
const outputLimit = 4 * 1024 * 1024

const definedOf = (env: typeof environment): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )

/**
 * The backups, as the console shows and makes them. They are the command's, in a process of its own: what
 * it takes of memory, and the lock that it holds, end with it.
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
    this.#listing ??= this.#run(['list', '--json'])
      .then((text) => JSON.parse(text) as readonly Archive[])
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
        await this.#run(['volume', ...(this.#isExternal() ? ['--portable'] : [])])
        this.#work = { is: 'done' }
      } catch (error) {
        this.#work = { is: 'failed', why: (error as Error).message }
        throw error
      }
    })
  }

  async #run(args: readonly string[]): Promise<string> {
    const [file, ...rest] = ownProgram()
    const argv = [file, ...rest, 'backup', ...args] as const
    const output = this.#system.streamProgram({ argv, env: definedOf(environment) })
    let text = ''
    for (;;) {
      const next = await output.next()
      if (next.done === true) return this.#textOf(text, next.value)
      text += next.value.toString()
      if (text.length > outputLimit)
        throw new SupervisorError('BACKUP_FAILED', 'cannot list backups: too long')
    }
  }

  #textOf(text: string, { outcome, lines }: ProgramResult): string {
    if (outcome.code === 0) return text
    const why = lines.join('\n').replace(/^supervisor: /, '') || `the command ${inWords(outcome)}`
    throw new SupervisorError('BACKUP_FAILED', why)
  }
}
