import { configFiles, type ConfigFiles, formatFiles } from '../../settings/configuration.ts'
import {
  formatHistory,
  type History,
  type HistoryEntry,
  isVersion,
  lastGood,
  leftToBoot,
  parseFiles,
  parseHistory,
  type Revision,
  withEntry,
} from '../../settings/history.ts'
import { firstFew } from '../../core/message.ts'
import { fileWarningsFor } from '../../settings/near-names.ts'
import { emptiedWarning, isEmptied } from '../../settings/proposal.ts'
import type { Files } from '../../system/files.ts'
import { ConfigFolder } from './config-folder.ts'
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
    | 'syncFile'
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
 * that is not a fault. Returns whether it was done.
 */
const whereWritable = (act: () => unknown): boolean => {
  try {
    act()
    return true
  } catch (error) {
    if (!['EROFS', 'EACCES', 'EPERM', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? ''))
      throw error
    return false
  }
}

/**
 * What the volume keeps of the configuration: the files, refused ones beside them,
 * every version that was in force, and the history.
 */
export class Store {
  /** What became of changes since this process began. */
  readonly recorded: Record<HistoryEntry['result'], number> = {
    applied: 0,
    'left to boot': 0,
    rejected: 0,
    'rolled back': 0,
  }
  readonly #options: Options
  readonly #journal: string
  readonly #intent: string
  readonly #config: ConfigFolder
  readonly #kept: KeptFiles
  readonly #warnings: string[] = []

  constructor(options: Options) {
    this.#options = options
    this.#config = new ConfigFolder(options)
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
  revision(version = ''): Revision | undefined {
    const content = isVersion(version) ? this.#kept.read(this.#pathOf(version), parseFiles) : undefined
    return content && { version, files: content }
  }

  lastGood(): Revision | undefined {
    return this.revision(lastGood(this.readHistory()))
  }

  /** What proved itself last, and what is left to the boot that comes. */
  lastWanted(): { readonly [Which in 'proved' | 'left']: Revision | undefined } {
    const history = this.readHistory()
    return { proved: this.revision(lastGood(history)), left: this.revision(leftToBoot(history)) }
  }

  /** Makes whoever may write mathesar.env now the only one who may, whoever might at an earlier start. */
  protect(): void {
    this.#options.setOwner(this.#config.pathOf('mathesar.env'))
  }

  requireWritable(): void {
    this.#config.requireWritable('mathesar.env')
  }

  /**
   * Writes several files as one: what is wanted is written down first,
   * and the next start completes it if this one is cut off.
   */
  write(wanted: ConfigFiles): void {
    const { files } = this.#options
    const before = Object.fromEntries(
      configFiles.map((name) => [name, this.#config.read(name)]),
    ) as ConfigFiles
    const differing = configFiles.filter((name) => before[name] !== wanted[name])
    const isWrittenDown = differing.length > 1
    try {
      if (isWrittenDown) whereWritable(() => files.writeWhole(this.#intent, formatFiles(wanted), 0o600))
      for (const name of differing) this.#config.write(name, wanted[name], before[name])
    } catch (error) {
      this.takeBack(wanted, before)
      throw error
    } finally {
      // Also where the disk failed when it was there already: the next start would complete it.
      if (isWrittenDown) whereWritable(() => files.remove(this.#intent))
    }
  }

  /** An emptied mathesar.env is not an edit: the one before is put back, by whoever has the volume. */
  restoreEmptied(
    onDisk: ConfigFiles,
    before: ConfigFiles,
    say: (message: string) => void,
    mayWrite = (): boolean => true,
  ): ConfigFiles {
    if (!isEmptied(onDisk, before)) return onDisk
    const files = { ...onDisk, 'mathesar.env': before['mathesar.env'] }
    say(emptiedWarning)
    try {
      if (mayWrite()) this.write(files)
    } catch (error) {
      say(`cannot put mathesar.env back: ${(error as Error).message}`)
    }
    return files
  }

  /** Takes back what is left of a write, but no edit that came since. */
  takeBack(written: ConfigFiles, before: ConfigFiles): void {
    for (const name of configFiles) {
      if (before[name] === written[name]) continue
      try {
        this.#config.writeBack(name, before[name], written[name])
      } catch {
        /* The others still go back. */
      }
    }
  }

  /** Has the disk keep the files as they are now: people and editors do not wait for it. */
  persist(): void {
    const { files } = this.#options
    for (const name of configFiles) whereWritable(() => files.syncFile(this.#config.pathOf(name)))
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

  /** Adds to the history, and removes versions that it no longer names. Returns whether it can be written. */
  record(entry: HistoryEntry): boolean {
    const { files, history: folder } = this.#options
    const isApplied = entry.result === 'applied'
    if (!isApplied) this.recorded[entry.result] += 1 // It is what became of it, recorded or not.
    const isWritten = whereWritable(() => {
      const before = this.readHistory()
      const history = withEntry(before, entry)
      this.#kept.replace(this.#journal, formatHistory(history), formatHistory(before))
      const named = new Set(history.map(({ version }) => `${version}.json`))
      for (const name of files.listFolder(folder))
        if (/^[0-9a-f]{12}\.json/.test(name) && !named.has(name)) files.remove(`${folder}/${name}`)
    })
    // A boot that cannot be recorded is recorded again.
    if (isApplied && (isWritten || entry.from !== 'boot')) this.recorded.applied += 1
    return isWritten
  }

  #listFolder(): readonly string[] {
    let names: readonly string[] = []
    whereWritable(() => (names = this.#options.files.listFolder(this.#options.folder)))
    return names
  }

  #pathOf(version: string): string {
    return `${this.#options.history}/${version}.json`
  }
}
