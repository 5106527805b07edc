import { posix } from 'node:path'
import type { Space } from '../../../src/core/space.ts'
import type { Files } from '../../../src/system/files.ts'
import type { System } from '../../../src/system/ports.ts'

type Owner = { readonly uid: number; readonly gid: number }
type Entry = Owner & {
  readonly bytes: Buffer | undefined
  readonly mode: number
  /** How many writes there were by then, which stands for the time. */
  readonly changedMs?: number
}
type Act = Exclude<keyof Files, 'readForeign'> | 'setOwner'
type Begin = (act: Act, path: string) => void

export const errorWith = (code: string): Error => Object.assign(new Error(`${code}: it is refused`), { code })

const root: Owner = { uid: 0, gid: 0 }
const usualLimitBytes = 256 * 1024

/** Files and folders in memory, with the errors of real ones. */
class Disk {
  /** When its files were made, as it says. */
  born = '1'
  /** What is free, where a test says so. */
  free: Space | undefined
  #writes = 0
  readonly #entries = new Map<string, Entry>([['/', { ...root, bytes: undefined, mode: 0o755 }]])

  find(path: string): Entry | undefined {
    return this.#entries.get(path)
  }
  need(path: string): Entry {
    const entry = this.#entries.get(path)
    if (!entry) throw errorWith('ENOENT')
    return entry
  }
  bytesOf(path: string, limitBytes: number): Buffer | undefined {
    const entry = this.#entries.get(path)
    if (!entry) return undefined
    if (!entry.bytes) throw new Error('it is a folder')
    if (entry.bytes.length > limitBytes) throw new Error(`it is larger than ${limitBytes / 1024} KiB`)
    return entry.bytes
  }
  /** Everything in a folder, at any depth. */
  below(path: string): string[] {
    return [...this.#entries.keys()].filter((other) => other.startsWith(`${path}/`))
  }
  makeFolder(path: string, mode: number): void {
    if (this.find(path)?.bytes) throw errorWith('EEXIST')
    for (let folder = path; !this.#entries.has(folder); folder = posix.dirname(folder))
      this.#entries.set(folder, { ...root, bytes: undefined, mode })
  }
  write(path: string, content: string | Buffer, mode: number, owner: Owner = root): void {
    this.need(posix.dirname(path))
    const changedMs = ++this.#writes
    this.#entries.set(path, { uid: owner.uid, gid: owner.gid, bytes: Buffer.from(content), mode, changedMs })
  }
  change(path: string, fields: Partial<Entry>): void {
    this.#entries.set(path, { ...this.need(path), ...fields })
  }
  move(from: string, to: string): void {
    const moved = [from, ...this.below(from)].map((path) => [path, this.need(path)] as const)
    this.remove(from)
    for (const [path, entry] of moved) this.#entries.set(to + path.slice(from.length), entry)
  }
  remove(path: string): void {
    for (const each of [path, ...this.below(path)]) this.#entries.delete(each)
  }
}

const mayRead = ({ uid, gid, mode }: Entry, user: Owner | undefined): boolean => {
  if (user === undefined) return true
  if (user.uid === uid) return (mode & 0o400) !== 0
  return (mode & (user.gid === gid ? 0o040 : 0o004)) !== 0
}

type Reads =
  | 'readIfThere'
  | 'readForeign'
  | 'mayRead'
  | 'isThere'
  | 'statOf'
  | 'identityOf'
  | 'freeSpace'
  | 'listFolder'
  | 'listFoldersIn'

const readsOn = (disk: Disk, begin: Begin): Pick<Files, Reads> => ({
  readIfThere: (path, limitBytes?: number) => {
    begin('readIfThere', path)
    return disk.bytesOf(path, limitBytes ?? usualLimitBytes)?.toString()
  },
  readForeign: (path, limitBytes) => {
    begin('readIfThere', path)
    return disk.bytesOf(path, limitBytes)
  },
  mayRead: (path, user) => mayRead(disk.need(path), user),
  isThere: (path) => disk.find(path) !== undefined,
  statOf: (path) => {
    const entry = disk.find(path)
    return (
      entry && { uid: entry.uid, gid: entry.gid, mode: entry.mode, bytes: 0, changedMs: entry.changedMs ?? 0 }
    )
  },
  identityOf: (path) => (disk.find(path) ? { device: '1', inode: path, born: disk.born } : undefined),
  freeSpace: () => disk.free,
  listFolder: (path) => {
    begin('listFolder', path)
    disk.need(path)
    const inside = disk.below(path).filter((other) => posix.dirname(other) === path)
    return inside.map((other) => posix.basename(other)).toSorted()
  },
  listFoldersIn: (path) =>
    disk
      .below(path)
      .filter((other) => posix.dirname(other) === path && disk.need(other).bytes === undefined)
      .map((other) => posix.basename(other)),
})

const filesOn = (disk: Disk, begin: Begin): Files => ({
  ...readsOn(disk, begin),
  requireWritable: (path) => {
    begin('requireWritable', path)
    disk.need(disk.find(path) ? path : posix.dirname(path))
  },
  writeWhole: (path, text, mode, mayReplace?: () => boolean) => {
    begin('writeWhole', path)
    if (mayReplace?.() === false) return false
    disk.write(path, text, mode, disk.find(path))
    return true
  },
  requireSpace: (folder) => {
    begin('requireSpace', folder)
    disk.need(folder)
  },
  writeInPlace: (path, text) => {
    begin('writeInPlace', path)
    disk.write(path, text, disk.find(path)?.mode ?? 0o644, disk.find(path))
  },
  syncFile: (path) => {
    begin('syncFile', path)
    disk.need(path)
  },
  renameWhole: (from, to) => {
    begin('renameWhole', from)
    disk.move(from, to)
  },
  removeWhole: (path) => {
    begin('removeWhole', path)
    disk.need(path)
    disk.remove(path)
  },
  makeFolder: (path, mode) => {
    begin('makeFolder', path)
    disk.makeFolder(path, mode)
  },
  moveContent: (from, to) => {
    begin('moveContent', from)
    for (const path of disk.below(from).filter((other) => posix.dirname(other) === from))
      disk.move(path, to + path.slice(from.length))
    disk.remove(from)
  },
  giveTree: (folder, { uid, gid }) => {
    begin('giveTree', folder)
    const others = [folder, ...disk.below(folder)].filter((path) => disk.need(path).uid !== uid)
    for (const path of others) disk.change(path, { uid, gid })
    return others.length
  },
  removeSmall: (path) => {
    begin('removeSmall', path)
    if (disk.below(path).length > 0) return false
    disk.remove(path)
    return true
  },
  remove: (path) => {
    begin('remove', path)
    disk.remove(path)
  },
  link: (to, path) => {
    begin('link', path)
    disk.write(path, `-> ${to}`, 0o777)
  },
})

/**
 * A file system in memory. `failOn` has acts fail, and hears of each one: a test can edit a file at any
 * moment.
 */
export const createFiles = () => {
  const disk = new Disk()
  const acts: string[] = []
  const failures: ((act: Act, path: string) => Error | undefined)[] = []
  const begin: Begin = (act, path) => {
    acts.push(`${act} ${path}`)
    for (const failure of failures) {
      const error = failure(act, path)
      if (error) throw error
    }
  }
  const fixed = new Map<string, Owner & { readonly mode: number }>()
  const setOwner: System['setOwner'] = (path, user, mode) => {
    begin('setOwner', path)
    const always = fixed.get(path)
    if (always) disk.change(path, always)
    else disk.change(path, { ...(user && { uid: user.uid, gid: user.gid }), mode })
  }

  return {
    files: filesOn(disk, begin),
    setOwner,
    /** What was done, in order: "writeWhole /a". */
    acts,
    /** Puts a file there, and the folders above it. */
    put: (path: string, content: string | Buffer, mode = 0o600, owner: Owner = root): void => {
      disk.makeFolder(posix.dirname(path), 0o755)
      disk.write(path, content, mode, owner)
    },
    text: (path: string): string | undefined => disk.find(path)?.bytes?.toString(),
    /** Has the files be others: copies of those before. */
    copy: (): void => void (disk.born += '1'),
    /** "0700 uid:gid", as `stat` has it. */
    modeOf: (path: string): string => {
      const { mode, uid, gid } = disk.need(path)
      return `${mode.toString(8).padStart(4, '0')} ${uid}:${gid}`
    },
    /** Has a path be as a file system shows it that keeps no owners and modes. */
    ignoreOwnersOf: (path: string, shown: Owner & { readonly mode: number }): void =>
      void fixed.set(path, shown),
    setFree: (space: Space | undefined): void => void (disk.free = space),
    /** Has acts fail; `undefined` lets one pass. */
    failOn: (failure: (act: Act, path: string) => Error | undefined): void => void failures.push(failure),
  }
}
