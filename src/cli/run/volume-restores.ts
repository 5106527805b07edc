import { isArchiveName } from '../../core/archive-name.ts'
import { Pushed } from '../../core/pushed.ts'
import { SupervisorError } from '../../errors.ts'
import type { Restoring, RestoreWish, RestoreWork } from '../../http/door/restore.ts'
import type { Streams, System } from '../../system/ports.ts'
import type { Place } from '../../units/place.ts'
import { isKept, readJournal } from '../../units/swap.ts'
import { type SubcommandEnvironment, runSubcommand } from './subcommand.ts'

type Options = {
  readonly system: Pick<System, 'clock' | 'files' | 'inBackground'> & Pick<Streams, 'streamProgram'>
  readonly place: Pick<Place, 'paths'>
  /** Has the container start over, with what was restored. */
  readonly startOver: () => void
}

/** Without `--forget`, the command itself refuses where a state that is kept would have to go. */
const optionsOf = ({ mayForget }: RestoreWish): readonly string[] => [
  '--replace',
  ...(mayForget ? ['--forget'] : []),
]

const withPassphrase = ({ passphrase }: RestoreWish): SubcommandEnvironment =>
  passphrase === undefined ? {} : { BACKUP_PASSPHRASE: passphrase }

/** The page asks each second, and has to hear that it is done. */
const startOverAfterMs = 3000
/** A browser that sends nothing for that long has gone. */
const silenceLimitMs = 60_000

/**
 * Restores that somebody asked for in the browser. They are the command's, in a process of its own, which
 * reads the archive as it comes in: what is there is not touched before all of it was proved. Then the
 * container starts over.
 */
export class VolumeRestores implements Restoring {
  readonly #options: Options
  #work: RestoreWork
  #upload: Pushed | undefined
  #bytes = 0
  #cancelLimit = (): void => {}

  constructor(options: Options) {
    this.#options = options
  }

  get work(): RestoreWork {
    return this.#work
  }

  keptSince(): string | undefined {
    const journal = readJournal(this.#options)
    return isKept(this.#options, journal) ? journal.at : undefined
  }

  begin(wish: RestoreWish): void {
    const upload = new Pushed()
    this.#run(['-', ...optionsOf(wish)], withPassphrase(wish), upload)
    this.#upload = upload
    this.#limitSilence()
  }

  fetch(name: string, wish: RestoreWish): void {
    if (!isArchiveName(name)) throw new SupervisorError('USAGE', 'cannot restore: name one of the archives')
    this.#run([name, ...optionsOf(wish)], withPassphrase(wish))
  }

  async take(atByte: number, bytes: Buffer): Promise<void> {
    const upload = this.#upload
    if (upload === undefined || atByte !== this.#bytes)
      throw new SupervisorError('USAGE', `cannot take byte ${atByte} of an archive: it is not the next one`)
    this.#bytes += bytes.length
    this.#cancelLimit()
    await upload.push(bytes)
    if (this.#work?.is !== 'under way') return
    this.#work = { is: 'under way', bytes: this.#bytes }
    this.#limitSilence()
  }

  end(): void {
    this.#cancelLimit()
    this.#upload?.end()
    this.#upload = undefined
  }

  undo(): void {
    this.#run(['--undo'], {})
  }

  #limitSilence(): void {
    this.#cancelLimit()
    this.#cancelLimit = this.#options.system.clock.after(silenceLimitMs, () => {
      this.#upload?.end(new SupervisorError('USAGE', 'cannot restore: the browser sent nothing more'))
      this.#upload = undefined
    })
  }

  #run(args: readonly string[], env: SubcommandEnvironment, input?: Pushed): void {
    if (this.#work?.is === 'under way' || this.#work?.is === 'done')
      throw new SupervisorError('VOLUME_IN_USE', 'cannot begin: a restore is under way', {
        hint: 'Wait until it is done: then the container starts over.',
      })
    const { system, startOver } = this.#options
    this.#work = { is: 'under way', bytes: input === undefined ? undefined : 0 }
    this.#bytes = 0
    system.inBackground('restore', async () => {
      try {
        const { told } = await runSubcommand(system, ['restore', ...args], {
          env,
          ...(input ? { input } : {}),
        })
        this.#work = { is: 'done', told }
        system.clock.after(startOverAfterMs, startOver)
      } catch (error) {
        this.#work = { is: 'failed', why: (error as Error).message }
        throw error
      } finally {
        this.end()
      }
    })
  }
}
