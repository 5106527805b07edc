import type { Random } from './random.ts'

type File = {
  readonly kind: 'file'
  data: string
  /** What is on the disk of it; `undefined` when nothing was ever written there. */
  stored: string | undefined
  uid: number
  /** How often it was written, which stands for the time of that. */
  writes: number
}
type Folder = {
  readonly kind: 'folder'
  entries: Map<string, Inode>
  /** The entries that are on the disk. */
  readonly stored: Map<string, Inode>
  uid: number
}
export type Inode = File | Folder

type Move = { readonly folder: Folder; readonly name: string; readonly inode: Inode | undefined }

const newFolder = (uid: number): Folder => ({ kind: 'folder', entries: new Map(), stored: new Map(), uid })

export class DiskError extends Error {
  readonly code: string
  constructor(code: string, path: string) {
    super(`${code}: ${path}`)
    this.code = code
  }
}

/** Paths are few, and split often. */
const split = new Map<string, readonly string[]>()

const partsOf = (path: string): readonly string[] => {
  let parts = split.get(path)
  if (parts === undefined) {
    parts = path.split('/').filter((part) => part !== '')
    if (split.size > 10_000) split.clear() // Temporary files have names of their own.
    split.set(path, parts)
  }
  return parts
}

/**
 * A file system with an ordered journal, as ext4 and xfs have: names change in memory, and are on the disk,
 * in their order, when something is synced. Data is on the disk when it was synced itself; before that the
 * disk may have any part of it.
 */
export class Disk {
  isFull = false
  isReadOnly = false
  readonly #root = newFolder(0)
  readonly #dirty = new Set<File>()
  readonly #random: Random
  #journal: (readonly Move[])[] = []
  readonly #watchers = new Set<(path: string) => void>()

  constructor(random: Random) {
    this.#random = random
  }

  find(path: string): Inode | undefined {
    return this.#follow(partsOf(path))
  }

  read(path: string): string | undefined {
    const inode = this.find(path)
    return inode?.kind === 'file' ? inode.data : undefined
  }

  /** What a file would hold if the power went now and the disk lost all that it may. */
  readStored(path: string): string | undefined {
    let inode: Inode | undefined = this.#root
    for (const part of partsOf(path)) inode = inode?.kind === 'folder' ? inode.stored.get(part) : undefined
    return inode?.kind === 'file' ? (inode.stored ?? '') : undefined
  }

  list(path: string): readonly string[] {
    const inode = this.find(path)
    if (inode?.kind !== 'folder') throw new DiskError('ENOENT', path)
    return [...inode.entries.keys()]
  }

  /** Creates or truncates a file. Nothing of it is on the disk yet. */
  write(path: string, data: string, uid = 0): void {
    this.requireSpace(path)
    if (this.find(path)) this.overwrite(path, data)
    else this.put(path, this.create(data, uid))
  }

  /** What a log with checksums amounts to: after any crash the file is the old one or the new one. */
  replace(path: string, data: string): void {
    const file = this.create(data, this.find(path)?.uid)
    this.sync(file)
    this.put(path, file)
    this.sync(file)
  }

  /** Writes where a file has its place already: no more space is needed. */
  overwrite(path: string, data: string): void {
    this.requireWritable(path)
    const inode = this.find(path)
    if (inode?.kind !== 'file') throw new DiskError(inode ? 'EISDIR' : 'ENOENT', path)
    inode.data = data
    inode.writes++
    this.#dirty.add(inode)
    this.#tell(path)
  }

  /** A file without a name. */
  create(data: string, uid = 0): File {
    const file: File = { kind: 'file', data, stored: undefined, uid, writes: 0 }
    this.#dirty.add(file)
    return file
  }

  /** Gives an inode a name; takes the place of what has it. */
  put(path: string, inode: Inode): void {
    this.#commit([this.#moveTo(path, inode)])
    this.#tell(path)
  }

  rename(from: string, to: string): void {
    const inode = this.find(from)
    if (inode === undefined) throw new DiskError('ENOENT', from)
    this.#commit([this.#moveTo(from, undefined), this.#moveTo(to, inode)])
    this.#tell(to)
  }

  remove(path: string): void {
    if (this.find(path) === undefined) return
    this.requireWritable(path)
    this.#commit([this.#moveTo(path, undefined)])
    this.#tell(path)
  }

  makeFolder(path: string): void {
    let folder = this.#root
    for (const name of partsOf(path)) {
      let inode = folder.entries.get(name)
      if (inode?.kind === 'file') throw new DiskError('EEXIST', path)
      if (inode === undefined) {
        this.requireSpace(path)
        inode = newFolder(0)
        this.#commit([{ folder, name, inode }])
      }
      folder = inode
    }
  }

  requireWritable(path: string): void {
    if (this.isReadOnly) throw new DiskError('EROFS', path)
  }

  requireSpace(path: string): void {
    this.requireWritable(path)
    if (this.isFull) throw new DiskError('ENOSPC', path)
  }

  /** fsync: the data of the file, and every change of a name so far. */
  sync(inode: Inode | undefined): void {
    if (inode?.kind === 'file') {
      inode.stored = inode.data
      this.#dirty.delete(inode)
    }
    this.#writeJournal(this.#journal.length)
  }

  syncAll(): void {
    this.#writeJournal(this.#journal.length)
    for (const file of this.#dirty) file.stored = file.data
    this.#dirty.clear()
  }

  /**
   * The power goes. Of what was not synced any part may be there: of the names a beginning of the journal,
   * of each file's data any.
   */
  losePower(): void {
    this.#writeJournal(this.#random.between(0, this.#journal.length))
    this.#journal = []
    for (const file of this.#dirty) file.stored = this.#whatIsLeft(file)
    this.#dirty.clear()
    this.#forget(this.#root)
    this.isReadOnly = false
  }

  /** Calls back with the path of each thing that changes. Returns the function that ends that. */
  watch(onChange: (path: string) => void): () => void {
    this.#watchers.add(onChange)
    return () => this.#watchers.delete(onChange)
  }

  #follow(parts: readonly string[]): Inode | undefined {
    let inode: Inode | undefined = this.#root
    for (const part of parts) inode = inode?.kind === 'folder' ? inode.entries.get(part) : undefined
    return inode
  }

  #whatIsLeft({ data, stored }: File): string {
    if (this.#random.chance(0.4)) return data
    return this.#random.chance(0.5)
      ? (stored ?? '')
      : data.slice(0, this.#random.between(0, Math.max(0, data.length - 1)))
  }

  #forget(folder: Folder): void {
    folder.entries = new Map(folder.stored)
    for (const inode of folder.entries.values()) {
      if (inode.kind === 'folder') this.#forget(inode)
      else inode.data = inode.stored ??= ''
    }
  }

  #moveTo(path: string, inode: Inode | undefined): Move {
    const parts = partsOf(path)
    const name = parts.at(-1) ?? ''
    const folder = this.#follow(parts.slice(0, -1))
    if (folder?.kind !== 'folder') throw new DiskError('ENOENT', path)
    return { folder, name, inode }
  }

  #commit(moves: readonly Move[]): void {
    for (const { folder, name, inode } of moves) {
      if (inode) folder.entries.set(name, inode)
      else folder.entries.delete(name)
    }
    this.#journal.push(moves)
  }

  #writeJournal(count: number): void {
    for (const moves of this.#journal.splice(0, count)) {
      for (const { folder, name, inode } of moves) {
        if (inode) folder.stored.set(name, inode)
        else folder.stored.delete(name)
      }
    }
  }

  #tell(path: string): void {
    for (const onChange of this.#watchers) onChange(path)
  }
}
