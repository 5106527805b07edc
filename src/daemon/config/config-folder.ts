import type { ConfigFile } from '../../settings/configuration.ts'
import { SupervisorError } from '../../errors.ts'
import type { Files } from '../../system/files.ts'

type Options = {
  readonly files: Pick<Files, 'readIfThere' | 'requireWritable' | 'writeWhole' | 'writeInPlace' | 'remove'>
  readonly folder: string
  /** Gives a file to those who may read and write it. */
  readonly setOwner: (path: string) => void
}

const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? ''

/** The folder of mathesar.env, file by file. People and their editors write there, too. */
export class ConfigFolder {
  readonly #options: Options

  constructor(options: Options) {
    this.#options = options
  }

  pathOf(name: ConfigFile): string {
    return `${this.#options.folder}/${name}`
  }

  /** What a file holds. One that cannot be used is never written over. */
  read(name: ConfigFile): string | undefined {
    try {
      return this.#options.files.readIfThere(this.pathOf(name))
    } catch (cause) {
      throw new SupervisorError('CONFIG_INVALID', `cannot write ${name}: ${(cause as Error).message}`, {
        cause,
        hint: 'Correct or remove the file, then try again; what was in force stays in force.',
      })
    }
  }

  /**
   * Says before anything is done that a file cannot be written: on a read-only mount it is edited elsewhere.
   */
  requireWritable(name: ConfigFile): void {
    const path = this.pathOf(name)
    try {
      this.#options.files.requireWritable(path)
    } catch (cause) {
      throw new SupervisorError('VOLUME_NOT_WRITABLE', `cannot write ${path}: ${(cause as Error).message}`, {
        cause,
        hint: 'Edit it where it is mounted from, or give the setting to the container: `-e NAME=value`.',
      })
    }
  }

  /** `before` is what the file held when the write was decided: an edit since then stays, and comes next. */
  write(name: ConfigFile, text: string | undefined, before: string | undefined): void {
    const { files, setOwner } = this.#options
    const path = this.pathOf(name)
    if (text === undefined) return files.remove(path)
    try {
      const isWritten = files.writeWhole(path, text, 0o600, () => files.readIfThere(path) === before)
      if (!isWritten)
        throw new SupervisorError('CONFIG_CONFLICT', `cannot write ${name}: it was edited meanwhile`)
    } catch (error) {
      // A file that is a mount of its own cannot be replaced, only written.
      if (!['EBUSY', 'EXDEV'].includes(codeOf(error))) throw error
      files.writeInPlace(path, text)
    }
    setOwner(path)
  }

  /** Takes a file of a failed write back, but not over an edit that came since. */
  writeBack(name: ConfigFile, before: string | undefined, written: string | undefined): void {
    const { files } = this.#options
    const path = this.pathOf(name)
    const isLeft = (): boolean => files.readIfThere(path) === written
    try {
      if (isLeft()) this.write(name, before, written)
    } catch (error) {
      // A disk that fails to keep a new file may still hold the old content in place of what was refused.
      if (codeOf(error) === 'EIO' && before !== undefined && isLeft()) files.writeInPlace(path, before)
    }
  }
}
