import { configFiles, fileLimitBytes } from '../../settings/configuration.ts'
import { historyLimitBytes } from '../../settings/history.ts'
import type { Files } from '../../system/files.ts'

/**
 * No file of ours is larger: three config files as JSON, in which a character may take six bytes,
 * or a whole history.
 */
const limitBytes = Math.max(6 * configFiles.length * fileLimitBytes, historyLimitBytes)

type Kept = Pick<Files, 'readIfThere' | 'remove' | 'renameWhole' | 'writeWhole' | 'writeInPlace'>

const isOfDisk = (error: Error): boolean => (error as NodeJS.ErrnoException).code === 'EIO'

/**
 * Files that we alone write. Whatever is in the place of one and cannot be used counts as not there, but
 * where the disk fails nothing takes its place: it may be read again in a moment.
 */
export class KeptFiles {
  readonly #files: Kept
  readonly #unusable = new Map<string, Error>()

  constructor(files: Kept) {
    this.#files = files
  }

  /** What was found that cannot be used, in words. */
  get warnings(): readonly string[] {
    return [...this.#unusable].map(([path, { message }]) => `cannot use ${path}: ${message}; it is ignored`)
  }

  isUnusable(path: string): boolean {
    return this.#unusable.has(path)
  }

  read<T>(path: string, parse: (text: string) => T): T | undefined {
    this.#unusable.delete(path)
    try {
      const text = this.#files.readIfThere(path, limitBytes)
      return text === undefined ? undefined : parse(text)
    } catch (error) {
      this.#unusable.set(path, error as Error)
      return undefined
    }
  }

  /** What could not be used there makes room, and is kept beside for whoever wants to look into it. */
  write(path: string, text: string): void {
    const why = this.#unusable.get(path)
    if (why !== undefined && isOfDisk(why)) throw why
    if (this.#unusable.delete(path)) {
      this.#files.remove(`${path}.unusable`)
      this.#files.renameWhole(path, `${path}.unusable`)
    }
    this.#files.writeWhole(path, text, 0o600)
  }

  /**
   * The same, or what was there before: a file may be replaced, and then its folder not synced. What is
   * refused for that must not be read later.
   */
  replace(path: string, text: string, before: string): void {
    try {
      this.write(path, text)
    } catch (error) {
      this.#takeBack(path, text, before)
      throw error
    }
  }

  #takeBack(path: string, text: string, before: string): void {
    if (this.read(path, (kept) => kept) !== text) return
    try {
      this.#files.writeInPlace(path, before)
    } catch {
      /* The disk fails, as was just seen. What was written is read all the same. */
    }
  }
}
