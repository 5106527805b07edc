import { dirname } from 'node:path/posix'
import { temporaryName } from '../../src/core/temporary.ts'
import type { Seen } from '../../src/core/settling.ts'
import type { System, Upload } from '../../src/system/ports.ts'
import { type Disk, DiskError, type Inode } from './disk.ts'
import type { Actor } from './actor.ts'

type Files = System['files']

/**
 * The files as a supervisor reaches them: every call may be its last one, and every write and read may fail.
 */
export class SupervisorFiles {
  readonly #supervisor: Actor
  #made = 0

  constructor(supervisor: Actor) {
    this.#supervisor = supervisor
  }

  /** The port of it. */
  asFiles(): Files {
    return {
      readIfThere: (path, limitBytes) => this.#read(path, limitBytes),
      readForeign: (path, limitBytes) => {
        const text = this.#read(path, limitBytes)
        return text === undefined ? undefined : Buffer.from(text, 'latin1')
      },
      mayRead: (path) => this.#require(path) !== undefined,
      isThere: (path) => this.#find(path) !== undefined,
      statOf: (path) => {
        const inode = this.#find(path)
        const { hasOneUser } = this.#supervisor.container
        const changedMs = inode?.kind === 'file' ? inode.writes : 0
        return inode && { uid: hasOneUser ? 1000 : inode.uid, gid: 0, mode: 0o700, bytes: 0, changedMs }
      },
      identityOf: (path) => (this.#find(path) ? { device: '1', inode: path, born: null } : undefined),
      giveTree: (folder, user) => {
        this.setOwner(folder, user)
        return 1
      },
      requireWritable: (path) => this.#disk(path).requireWritable(path),
      writeWhole: (path, text, _, mayReplace) => this.#writeWhole(path, text, mayReplace),
      freeSpace: () => undefined,
      requireSpace: (folder) => this.#disk(folder).requireSpace(folder),
      writeInPlace: (path, text) => {
        const disk = this.#disk(path)
        disk.write(path, text)
        this.#sync(disk, path)
      },
      syncFile: (path) => {
        const disk = this.#disk(path)
        this.#require(path)
        this.#sync(disk, path)
      },
      listFolder: (path) => this.#disk(path).list(path),
      listFoldersIn: (path) => {
        const disk = this.#disk(path)
        const isFolder = (name: string): boolean => disk.find(`${path}/${name}`)?.kind === 'folder'
        return disk.find(path) === undefined ? [] : disk.list(path).filter(isFolder)
      },
      renameWhole: (from, to) => this.#renameWhole(from, to),
      removeWhole: (path) => {
        const disk = this.#disk(path)
        this.#require(path)
        disk.remove(path)
        this.#supervisor.call()
        this.#sync(disk, dirname(path))
      },
      makeFolder: (path) => this.#disk(path).makeFolder(path),
      moveContent: (from, to) => {
        const disk = this.#disk(to)
        for (const name of disk.list(from)) {
          disk.rename(`${from}/${name}`, `${to}/${name}`)
          this.#supervisor.call()
        }
        disk.remove(from)
      },
      removeSmall: (path) => this.#removeSmall(path),
      remove: (path) => {
        const disk = this.#disk(path)
        this.#supervisor.world.oracle.checkRemoval(disk, path)
        disk.remove(path)
      },
      link: (to, path) => this.#disk(path).write(path, to),
    }
  }

  /** A file that grows under another name until all of it is on the disk: a moment to die at each step. */
  begin(path: string): Upload {
    const disk = this.#disk(path)
    const temporary = this.#nameBeside(path)
    let text = ''
    disk.write(temporary, text)
    return {
      write: async (chunk) => {
        text += chunk.toString()
        this.#disk(path).write(temporary, text)
      },
      finish: async () => {
        this.#supervisor.call()
        this.#sync(disk, temporary)
        this.#disk(path).rename(temporary, path)
        this.#supervisor.call()
        this.#sync(disk, dirname(path))
      },
      abort: async () => {
        if (this.#supervisor.isAlive && !disk.isReadOnly) disk.remove(temporary)
      },
    }
  }

  setOwner(path: string, user: { readonly uid: number } | undefined): void {
    const disk = this.#disk(path)
    const inode = this.#require(path)
    if (user === undefined || inode.uid === user.uid) return
    disk.requireWritable(path)
    inode.uid = user.uid
  }

  readConfigFiles(folder: string, names: readonly string[]): Seen {
    const files = names.map((name) => [name, this.#read(`${folder}/${name}`)] as const)
    return { files: Object.fromEntries(files), stale: {}, unusable: {} }
  }

  #removeSmall(path: string): boolean {
    const disk = this.#disk(path)
    if (disk.find(path) !== undefined && disk.list(path).length > 0) return false
    disk.remove(path)
    return true
  }

  #disk(path: string): Disk {
    this.#supervisor.call()
    return this.#supervisor.container.diskOf(path)
  }

  #find(path: string): Inode | undefined {
    return this.#disk(path).find(path)
  }

  #require(path: string): Inode {
    const inode = this.#find(path)
    if (inode === undefined) throw new DiskError('ENOENT', path)
    return inode
  }

  #read(path: string, limitBytes = Number.POSITIVE_INFINITY): string | undefined {
    const { container, world } = this.#supervisor
    const inode = this.#find(path)
    if (inode === undefined) return undefined
    if (inode.kind === 'folder') throw new Error('it is a folder')
    if (container.isInVolume(path) && world.faults.strikes('read fails')) throw new DiskError('EIO', path)
    if (inode.data.length > limitBytes) throw new Error(`it is larger than ${limitBytes} bytes`)
    return inode.data
  }

  #sync(disk: Disk, path: string): void {
    const { container, world } = this.#supervisor
    if (container.isInVolume(path) && world.faults.strikes('sync fails')) throw new DiskError('EIO', path)
    disk.sync(disk.find(path))
  }

  #nameBeside(path: string): string {
    return `${dirname(path)}/${temporaryName(this.#supervisor.world.timeline.nowMs, ++this.#made)}`
  }

  /**
   * A temporary file beside, fsync, rename, fsync of the folder: as the real one, with a moment to die
   * between any two.
   */
  #writeWhole(path: string, text: string, mayReplace = (): boolean => true): boolean {
    const disk = this.#disk(path)
    const { world } = this.#supervisor
    const folder = dirname(path)
    const temporary = this.#nameBeside(path)
    if (disk.find(folder) === undefined) throw new DiskError('ENOENT', path)
    disk.write(temporary, text, disk.find(path)?.uid)
    world.oracle.sides.seeWrite(this.#supervisor, path, text)
    try {
      this.#supervisor.call()
      this.#sync(disk, temporary)
      this.#supervisor.call()
      if (!mayReplace()) {
        disk.remove(temporary)
        return false
      }
      disk.rename(temporary, path)
    } catch (error) {
      if (this.#supervisor.isAlive) disk.remove(temporary)
      throw error
    }
    this.#supervisor.call()
    this.#sync(disk, folder)
    world.oracle.seeWrite(path, text)
    return true
  }

  #renameWhole(from: string, to: string): void {
    const disk = this.#disk(to)
    disk.requireWritable(to)
    this.#supervisor.world.oracle.checkRemoval(disk, to)
    disk.rename(from, to)
    this.#supervisor.call()
    this.#sync(disk, dirname(to))
  }
}
