import {
  configFiles,
  type ConfigFile,
  type ConfigFiles,
  fileLimitBytes,
  formatFiles,
} from '../../settings/configuration.ts'
import {
  type History,
  type HistoryEntry,
  historyLimitBytes,
  isVersion,
  lastGood,
  parseFiles,
  parseHistory,
  type Revision,
  withEntry,
} from '../../settings/history.ts'
import { SupervisorError } from '../../errors.ts'
import type { Files } from '../../system/files.ts'

type Deps = {
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
  readonly own: (path: string) => void
}

const suffix = '.rejected'
/** No file of ours is larger: three config files as JSON, in which a character may take six bytes, or a whole history. */
const keptLimitBytes = Math.max(6 * configFiles.length * fileLimitBytes, historyLimitBytes)

/** Where nothing can be written, such as on platforms with a read-only file system, there is no history; that is no fault. */
const whereWritable = (act: () => unknown): void => {
  try {
    act()
  } catch (error) {
    if (!['EROFS', 'EACCES', 'EPERM', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? ''))
      throw error
  }
}

/** What the volume keeps of the configuration: the files, refused ones beside them, every version that was in force, and the history. */
export const createStore = ({ files, folder, history: home, own }: Deps) => {
  const journal = `${home}/history.json`
  /** What lies in the place of a file of ours and cannot be used, whatever it is, each with the reason. */
  const unusable = new Map<string, string>()
  const readKept = <T>(path: string, parse: (text: string) => T): T | undefined => {
    unusable.delete(path)
    try {
      const text = files.readIfThere(path, keptLimitBytes)
      return text === undefined ? undefined : parse(text)
    } catch (error) {
      unusable.set(path, (error as Error).message)
      return undefined
    }
  }
  /** What could not be used makes room, and lies beside for whoever wants to look into it. */
  const replace = (path: string, text: string): void => {
    if (unusable.delete(path)) {
      files.remove(`${path}.unusable`)
      files.renameWhole(path, `${path}.unusable`)
    }
    files.writeWhole(path, text, 0o600)
  }

  const readHistory = (): History => readKept(journal, parseHistory) ?? []

  const pathOf = (version: string): string => `${home}/${version}.json`
  const revision = (version: string): Revision | undefined => {
    const content = isVersion(version) ? readKept(pathOf(version), parseFiles) : undefined
    return content && { version, files: content }
  }

  /** `before` is what the file held when the write was decided: an edit since then stays, and comes next. */
  const writeFile = (name: ConfigFile, text: string | undefined, before: string | undefined): void => {
    const path = `${folder}/${name}`
    if (text === undefined) return files.remove(path)
    try {
      if (!files.writeWhole(path, text, 0o600, () => files.readIfThere(path) === before))
        throw new SupervisorError('CONFIG_CONFLICT', `cannot write ${name}: it was edited meanwhile`)
    } catch (error) {
      // A file that is a mount of its own cannot be replaced, only written.
      if (!['EBUSY', 'EXDEV'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
      files.writeInPlace(path, text)
    }
    own(path)
  }

  /** Several files change as one: what is wanted is written down first, and finished by the next start if this one is cut off. */
  const intent = `${home}/intent.json`
  const write = (wanted: ConfigFiles): void => {
    const differing = configFiles
      .map((name) => [name, files.readIfThere(`${folder}/${name}`)] as const)
      .filter(([name, before]) => before !== wanted[name])
    if (differing.length > 1) whereWritable(() => files.writeWhole(intent, formatFiles(wanted), 0o600))
    try {
      for (const [name, before] of differing) writeFile(name, wanted[name], before)
    } catch (error) {
      // All of them or none: what was written goes back, but not over an edit that came since.
      for (const [name, before] of differing) {
        try {
          if (files.readIfThere(`${folder}/${name}`) === wanted[name]) writeFile(name, before, wanted[name])
        } catch {
          /* The others still go back. */
        }
      }
      throw error
    } finally {
      if (differing.length > 1) whereWritable(() => files.remove(intent))
    }
  }

  return {
    /** Makes sure that who may write mathesar.env is who may now, whoever might at an earlier start. */
    protect: (): void => own(`${folder}/mathesar.env`),
    rejectedName: `mathesar.env${suffix}`,
    readHistory,
    revision,
    write,
    /** What was found that cannot be used, in words. It counts as not there. */
    get warnings() {
      return [...unusable].map(([path, why]) => `cannot use ${path}: ${why}; it is ignored`)
    },
    /** Completes what an earlier supervisor was cut off from, unless another one has the volume; nothing on any usual day. */
    finish: (lock: () => boolean): void =>
      whereWritable(() => {
        const wanted = readKept(intent, parseFiles)
        if ((wanted === undefined && !unusable.has(intent)) || !lock()) return
        try {
          if (wanted) write(wanted)
        } finally {
          files.remove(intent) // Also when it cannot be completed: it must not undo later changes at each boot.
        }
      }),
    /** Says before anything is done that mathesar.env cannot be written: on a read-only mount it is edited elsewhere. */
    requireWritable: (): void => {
      try {
        files.requireWritable(`${folder}/mathesar.env`)
      } catch (cause) {
        throw new SupervisorError(
          'VOLUME_NOT_WRITABLE',
          `cannot write ${folder}/mathesar.env: ${(cause as Error).message}`,
          {
            cause,
            hint: 'Edit it where it is mounted from, or give the setting to the container: `-e NAME=value`.',
          },
        )
      }
    },
    lastGood: (): Revision | undefined => {
      const version = lastGood(readHistory())
      return version === undefined ? undefined : revision(version)
    },
    /** Keeps the refused files beside. */
    keepRejected: (refused: ConfigFiles, good: ConfigFiles): void => {
      for (const name of configFiles) {
        const text = refused[name]
        if (text !== undefined && text !== good[name])
          files.writeWhole(`${folder}/${name}${suffix}`, text, 0o600)
      }
    },
    /** Keeps the content of a version that is about to be in force: it can be gone back to. */
    keep: (version: string, content: ConfigFiles): void =>
      whereWritable(() => {
        const text = formatFiles(content)
        if (readKept(pathOf(version), (kept) => kept) !== text) replace(pathOf(version), text)
      }),
    /** Adds to the history; versions that it no longer names go. */
    note: (entry: HistoryEntry): void =>
      whereWritable(() => {
        const history = withEntry(readHistory(), entry)
        replace(journal, `${JSON.stringify(history, null, 1)}\n`)
        const named = new Set(history.map(({ version }) => `${version}.json`))
        for (const name of files.listFolder(home))
          if (/^[0-9a-f]{12}\.json/.test(name) && !named.has(name)) files.remove(`${home}/${name}`)
      }),
  }
}

export type Store = ReturnType<typeof createStore>
