import { configFiles, type ConfigFile, type ConfigFiles, formatFiles } from '../../settings/configuration.ts'
import {
  type History,
  type HistoryEntry,
  isVersion,
  lastGood,
  parseFiles,
  parseHistory,
  type Revision,
  withEntry,
} from '../../settings/history.ts'
import { firstFew } from '../../core/message.ts'
import { fileWarningsFor } from '../../settings/near-names.ts'
import { SupervisorError } from '../../errors.ts'
import type { Files } from '../../system/files.ts'
import { KeptFiles } from './kept-files.ts'

type Options = {
  readonly files: Pick<
    Files,
    | 'readIfThere'
    | 'requireWritable'
    | 'writeWhole'
    | 'writeInPlace'
    | 'renameWhole'
    | 'remove'
    | 'listFolder'
  >
  /** The folder of mathesar.env, and that of the history. */
  readonly folder: string
  readonly history: string
  /** Gives mathesar.env to those who may read and write it. */
  readonly setOwner: (path: string) => void
}

const suffix = '.rejected'
/**
 * Where nothing can be written, such as on platforms with a read-only file system, there is no history;
 * that is no fault.
 */
const whereWritable = (act: () => unknown): void => {
  try {
    act()
  } catch (error) {
    if (!['EROFS', 'EACCES', 'EPERM', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? ''))
      throw error
  }
}

const formatHistory = (history: History): string => `${JSON.stringify(history, null, 1)}\n`

/**
 * What the volume keeps of the configuration: the files, refused ones beside them,
 * every version that was in force, and the history.
 */
export class Store {
  readonly #options: Options
  readonly #journal: string
  readonly #intent: string
  readonly #kept: KeptFiles
  readonly #warnings: string[] = []

  constructor(options: Options) {
    this.#options = options
    this.#kept = new KeptFiles(options.files)
    this.#journal = `${options.history}/history.json`
    this.#intent = `${options.history}/intent.json`
  }

  /** What was found that cannot be used, in words. It counts as not there. */
  get warnings(): readonly string[] {
    const near = firstFew(fileWarningsFor(this.#listFolder(), configFiles), (warning) => warning)
    return [...this.#warnings, ...this.#kept.warnings, ...near]
  }

  /** Adds what a start has to say of the files. */
  warn(message: string): void {
    this.#warnings.push(message)
  }

  readHistory(): History {
    return this.#kept.read(this.#journal, parseHistory) ?? []
  }

  /** The files of a version; `undefined` when they are no longer kept. */
  revision(version: string): Revision | undefined {
    const content = isVersion(version) ? this.#kept.read(this.#pathOf(version), parseFiles) : undefined
    return content && { version, files: content }
  }

  lastGood(): Revision | undefined {
    const version = lastGood(this.readHistory())
    return version === undefined ? undefined : this.revision(version)
  }

  /**
   * Makes sure that whoever may write mathesar.env now is the only one, whoever might at an earlier start.
   */
  protect(): void {
    this.#options.setOwner(`${this.#options.folder}/mathesar.env`)
  }

  /**
   * Says before anything is done that mathesar.env cannot be written:
   * on a read-only mount it is edited elsewhere.
   */
  requireWritable(): void {
    const path = `${this.#options.folder}/mathesar.env`
    try {
      this.#options.files.requireWritable(path)
    } catch (cause) {
      throw new SupervisorError('VOLUME_NOT_WRITABLE', `cannot write ${path}: ${(cause as Error).message}`, {
        cause,
        hint: 'Edit it where it is mounted from, or give the setting to the container: `-e NAME=value`.',
      })
    }
  }

  /**
   * Writes several files as one: what is wanted is written down first,
   * and the next start completes it if this one is cut off.
   */
  write(wanted: ConfigFiles): void {
    const { files } = this.#options
    const differing = configFiles
      .map((name) => [name, this.#readFile(name)] as const)
      .filter(([name, before]) => before !== wanted[name])
    if (differing.length > 1) whereWritable(() => files.writeWhole(this.#intent, formatFiles(wanted), 0o600))
    try {
      for (const [name, before] of differing) this.#writeFile(name, wanted[name], before)
    } catch (error) {
      for (const [name, before] of differing) this.#writeBack(name, before, wanted[name])
      throw error
    } finally {
      if (differing.length > 1) whereWritable(() => files.remove(this.#intent))
    }
  }

  /** Completes a write that an earlier supervisor was cut off from, unless another one has the volume. */
  finish(lock: () => boolean): void {
    whereWritable(() => {
      const wanted = this.#kept.read(this.#intent, parseFiles)
      if ((wanted === undefined && !this.#kept.isUnusable(this.#intent)) || !lock()) return
      try {
        if (wanted) this.write(wanted)
      } finally {
        // Also when it cannot be completed: it must not undo later changes at each boot.
        this.#options.files.remove(this.#intent)
      }
    })
  }

  /** Keeps refused files beside the good ones. Returns the names that they have there. */
  keepRejected(refused: ConfigFiles, good: ConfigFiles): readonly string[] {
    const { files, folder } = this.#options
    return configFiles.flatMap((name) => {
      const text = refused[name]
      if (text === undefined || text === good[name]) return []
      files.writeWhole(`${folder}/${name}${suffix}`, text, 0o600)
      return [name + suffix]
    })
  }

  /** The names of refused files that are kept. */
  keptRejected(): readonly string[] {
    const names = this.#listFolder()
    return configFiles.map((name) => name + suffix).filter((name) => names.includes(name))
  }

  /** Keeps the content of a version that is about to be in force: it can be gone back to. */
  keep(version: string, content: ConfigFiles): void {
    whereWritable(() => {
      const text = formatFiles(content)
      if (this.#kept.read(this.#pathOf(version), (kept) => kept) !== text)
        this.#kept.write(this.#pathOf(version), text)
    })
  }

  /** Adds to the history, and removes versions that it no longer names. */
  record(entry: HistoryEntry): void {
    const { files, history: folder } = this.#options
    whereWritable(() => {
      const before = this.readHistory()
      const history = withEntry(before, entry)
      this.#kept.replace(this.#journal, formatHistory(history), formatHistory(before))
      const named = new Set(history.map(({ version }) => `${version}.json`))
      for (const name of files.listFolder(folder))
        if (/^[0-9a-f]{12}\.json/.test(name) && !named.has(name)) files.remove(`${folder}/${name}`)
    })
  }

  #listFolder(): readonly string[] {
    let names: readonly string[] = []
    whereWritable(() => (names = this.#options.files.listFolder(this.#options.folder)))
    return names
  }

  #pathOf(version: string): string {
    return `${this.#options.history}/${version}.json`
  }

  /** `before` is what the file held when the write was decided: an edit since then stays, and comes next. */
  #writeFile(name: ConfigFile, text: string | undefined, before: string | undefined): void {
    const { files, folder, setOwner } = this.#options
    const path = `${folder}/${name}`
    if (text === undefined) return files.remove(path)
    try {
      const isWritten = files.writeWhole(path, text, 0o600, () => files.readIfThere(path) === before)
      if (!isWritten)
        throw new SupervisorError('CONFIG_CONFLICT', `cannot write ${name}: it was edited meanwhile`)
    } catch (error) {
      // A file that is a mount of its own cannot be replaced, only written.
      if (!['EBUSY', 'EXDEV'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
      files.writeInPlace(path, text)
    }
    setOwner(path)
  }

  /** What a config file holds. One that cannot be used is never written over. */
  #readFile(name: ConfigFile): string | undefined {
    const { files, folder } = this.#options
    try {
      return files.readIfThere(`${folder}/${name}`)
    } catch (cause) {
      throw new SupervisorError('CONFIG_INVALID', `cannot write ${name}: ${(cause as Error).message}`, {
        cause,
        hint: 'Correct or remove the file, then try again; what was in force stays in force.',
      })
    }
  }

  /** Takes a file of a failed write back, but not over an edit that came since. */
  #writeBack(name: ConfigFile, before: string | undefined, written: string | undefined): void {
    const { files, folder } = this.#options
    try {
      if (files.readIfThere(`${folder}/${name}`) === written) this.#writeFile(name, before, written)
    } catch {
      /* The others still go back. */
    }
  }
}
