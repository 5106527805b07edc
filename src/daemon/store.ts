import { configFiles, type ConfigFile, type ConfigFiles } from '../core/configuration.ts'
import { type History, type HistoryEntry, lastGood, type Revision, withEntry } from '../core/history.ts'
import { SupervisorError } from '../errors.ts'
import type { Files } from '../system/files.ts'

type Deps = {
  readonly files: Pick<Files, 'readIfThere' | 'requireWritable' | 'writeWhole' | 'writeInPlace' | 'remove' | 'listFolder'>
  /** The folder of mathesar.env, and that of the history. */
  readonly folder: string
  readonly history: string
  /** Gives mathesar.env to those who may read and write it. */
  readonly own: (path: string) => void
}

const suffix = '.rejected'

/** Where nothing can be written, such as on platforms with a read-only file system, there is no history; that is no fault. */
const whereWritable = (act: () => unknown): void => {
  try {
    act()
  } catch (error) {
    if (!['EROFS', 'EACCES', 'EPERM', 'ENOENT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
  }
}

/** What the volume keeps of the configuration: the files, refused ones beside them, every version that was in force, and the history. */
export const createStore = ({ files, folder, history: home, own }: Deps) => {
  const journal = `${home}/history.json`
  const readHistory = (): History => {
    try {
      return JSON.parse(files.readIfThere(journal) ?? '[]') as History
    } catch {
      return [] // Never written by halves; somebody else's hand was in it.
    }
  }

  const revision = (version: string): Revision | undefined => {
    if (!/^[0-9a-f]{12}$/.test(version)) return undefined
    try {
      const text = files.readIfThere(`${home}/${version}.json`)
      return text === undefined ? undefined : { version, files: JSON.parse(text) as ConfigFiles }
    } catch {
      return undefined
    }
  }

  /** `before` is what the file held when the write was decided: an edit since then stays, and comes next. */
  const writeFile = (name: ConfigFile, text: string | undefined, before: string | undefined): void => {
    const path = `${folder}/${name}`
    if (text === undefined) return files.remove(path)
    try {
      if (!files.writeWhole(path, text, 0o600, () => files.readIfThere(path) === before)) throw new SupervisorError('CONFIG_CONFLICT', `cannot write ${name}: it was edited meanwhile`)
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
    const differing = configFiles.map((name) => [name, files.readIfThere(`${folder}/${name}`)] as const).filter(([name, before]) => before !== wanted[name])
    if (differing.length > 1) whereWritable(() => files.writeWhole(intent, JSON.stringify(configFiles.map((name) => wanted[name] ?? null)), 0o600))
    try {
      for (const [name, before] of differing) writeFile(name, wanted[name], before)
    } catch (error) {
      // All of them or none: what was written goes back, but not over an edit that came since.
      for (const [name, before] of differing) {
        try {
          if (files.readIfThere(`${folder}/${name}`) === wanted[name]) writeFile(name, before, wanted[name])
        } catch { /* The others still go back. */ }
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
    readHistory, revision, write,
    /** Completes what an earlier supervisor was cut off from, unless another one has the volume; nothing on any usual day. */
    finish: (lock: () => boolean): void => whereWritable(() => {
      const text = files.readIfThere(intent)
      if (text === undefined || !lock()) return
      try {
        const wanted = JSON.parse(text) as readonly (string | null)[]
        write(Object.fromEntries(configFiles.map((name, index) => [name, wanted[index] ?? undefined])) as ConfigFiles)
      } finally {
        files.remove(intent) // Also when it cannot be completed: it must not undo later changes at each boot.
      }
    }),
    /** Says before anything is done that mathesar.env cannot be written: on a read-only mount it is edited elsewhere. */
    requireWritable: (): void => {
      try {
        files.requireWritable(`${folder}/mathesar.env`)
      } catch (cause) {
        throw new SupervisorError('VOLUME_NOT_WRITABLE', `cannot write ${folder}/mathesar.env: ${(cause as Error).message}`, { cause, hint: 'Edit it where it is mounted from, or give the setting to the container: `-e NAME=value`.' })
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
        if (text !== undefined && text !== good[name]) files.writeWhole(`${folder}/${name}${suffix}`, text, 0o600)
      }
    },
    /** Keeps the content of a version that is about to be in force: it can be gone back to. */
    keep: (version: string, content: ConfigFiles): void => whereWritable(() => files.writeWhole(`${home}/${version}.json`, JSON.stringify(content), 0o600)),
    /** Adds to the history; versions that it no longer names go. */
    note: (entry: HistoryEntry): void => whereWritable(() => {
      const history = withEntry(readHistory(), entry)
      files.writeWhole(journal, `${JSON.stringify(history, null, 1)}\n`, 0o600)
      const named = new Set(history.map(({ version }) => `${version}.json`))
      for (const name of files.listFolder(home)) if (/^[0-9a-f]{12}\.json$/.test(name) && !named.has(name)) files.remove(`${home}/${name}`)
    }),
  }
}

export type Store = ReturnType<typeof createStore>
