import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { temporaryName } from '../core/temporary.ts'
import { decodeText } from '../core/text.ts'
import { identityOf } from './identity.ts'
import { readBytes } from './read-file.ts'
import { removeSmall } from './small-folder.ts'
import { freeSpace } from './space.ts'
import { giveTree, type Owner } from './owners.ts'

const syncPath = (path: string): void => {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/**
 * Root reads here what another user may have written, so only a regular file is read, and no more of it than
 * permitted. A device is not even opened, and O_NONBLOCK keeps a FIFO that comes in between from hanging us.
 * Links are followed: a ConfigMap of Kubernetes consists of them. That is safe as long as only the
 * supervisor's user may write the folder: who may write a file in it cannot put a link there. Bytes that are
 * not UTF-8 are refused.
 */
export const readRegular = (path: string, limitBytes: number): string | undefined => {
  const bytes = readBytes(path, limitBytes, true)
  return bytes && decodeText(bytes)
}

/** A new file in the folder, under a name that nothing has. */
const createTemporary = (folder: string, mode: number): { readonly path: string; readonly fd: number } => {
  for (let made = 0; ; made++) {
    const path = join(folder, temporaryName(Date.now(), made))
    try {
      return { path, fd: openSync(path, 'wx', mode) }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}

const fillWhole = (fd: number, text: string, mode: number, owner: Owner): void => {
  try {
    fchmodSync(fd, mode)
    // A file of somebody else, in a folder of the host, stays theirs.
    if (process.getuid!() === 0 && owner.uid !== 0) fchownSync(fd, owner.uid, owner.gid)
    writeFileSync(fd, text)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/** The three bits of a mode that count for a user. */
const permissionsOf = ({ uid, gid, mode }: Stats, user: Owner): number => {
  if (uid === user.uid) return mode >> 6
  return gid === user.gid ? mode >> 3 : mode
}

/**
 * Files that are whole or absent, also after a crash: a temporary file in the same folder, mode first, fsync,
 * rename, fsync of the folder.
 */
export const files = {
  /** `undefined` when it is not there; throws when it is larger or not a file. */
  readIfThere: (path: string, limitBytes = 256 * 1024): string | undefined => readRegular(path, limitBytes),

  /** The same in a folder that another user may write, who could put a link there: none is followed. */
  readForeign: (path: string, limitBytes: number): Buffer | undefined => readBytes(path, limitBytes, false),

  /** Whether a user (`undefined`: this one) may read a file, by its mode. Throws when it is not there. */
  mayRead: (path: string, user: Owner | undefined): boolean => {
    const stats = statSync(path)
    return user === undefined || (permissionsOf(stats, user) & 4) !== 0
  },

  isThere: (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined,

  /** Owner, mode without type, size, and when it last changed (ms since 1970); `undefined`: not there. */
  statOf: (path: string) => {
    const stats = statSync(path, { throwIfNoEntry: false })
    if (stats === undefined) return undefined
    const { uid, gid, mode, size: bytes, mtimeMs: changedMs } = stats
    return { uid, gid, mode: mode & 0o7777, bytes, changedMs }
  },

  /** Throws when this file, or one that is not there yet in its folder, cannot be written. */
  requireWritable: (path: string): void =>
    accessSync(statSync(path, { throwIfNoEntry: false }) ? path : dirname(path), constants.W_OK),

  /** Asks `mayReplace` when all is ready, an instant before it replaces the file; returns whether it did. */
  writeWhole: (path: string, text: string, mode: number, mayReplace = (): boolean => true): boolean => {
    const owner = statSync(path, { throwIfNoEntry: false }) ?? {
      uid: process.getuid!(),
      gid: process.getgid!(),
    }
    const temporary = createTemporary(dirname(path), mode)
    try {
      fillWhole(temporary.fd, text, mode, owner)
      if (!mayReplace()) {
        rmSync(temporary.path)
        return false
      }
      renameSync(temporary.path, path)
    } catch (error) {
      rmSync(temporary.path, { force: true })
      throw error
    }
    syncPath(dirname(path))
    return true
  },

  /**
   * Throws when a folder has no room for that many more bytes. What is written for it never reaches the disk.
   */
  requireSpace: (folder: string, bytes: number): void => {
    const path = `${folder}/.space`
    try {
      writeFileSync(path, Buffer.alloc(bytes), { mode: 0o600 })
    } finally {
      rmSync(path, { force: true })
    }
  },

  freeSpace,
  identityOf,

  /** For a file that cannot be replaced, such as a mount of its own. */
  writeInPlace: (path: string, text: string): void => writeFileSync(path, text, { flush: true }),

  /** Has the disk keep a file that somebody else wrote, and its name. */
  syncFile: (path: string): void => {
    syncPath(path)
    syncPath(dirname(path))
  },

  listFolder: (path: string): readonly string[] => readdirSync(path),

  /** The folders in a folder, links to folders left out; none where it cannot be read. */
  listFoldersIn: (path: string): readonly string[] => {
    try {
      const entries = readdirSync(path, { withFileTypes: true })
      return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name)
    } catch {
      return []
    }
  },

  /** Moves a folder into place in one step that lasts. */
  renameWhole: (from: string, to: string): void => {
    renameSync(from, to)
    syncPath(dirname(to))
  },

  /** Removes a file for good. */
  removeWhole: (path: string): void => {
    rmSync(path)
    syncPath(dirname(path))
  },

  /** Creates a folder and those above it. A link that leads nowhere yet gets the folder that it points to. */
  makeFolder: (path: string, mode: number): void => {
    const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true
    mkdirSync(isLink ? resolve(dirname(path), readlinkSync(path)) : path, { recursive: true, mode })
  },

  /** Has a path lead to another one, unless it is there. */
  link: (to: string, path: string): void => {
    if (lstatSync(path, { throwIfNoEntry: false }) === undefined) symlinkSync(to, path)
  },

  /** Moves what is in a folder into another one of the same file system, and removes it. */
  moveContent: (from: string, to: string): void => {
    for (const name of readdirSync(from)) renameSync(join(from, name), join(to, name))
    rmSync(from, { recursive: true })
  },

  giveTree,

  removeSmall,

  /** Removes a file or folder, if it is there. A mount point stays, and is empty then. */
  remove: (path: string): void => {
    try {
      rmSync(path, { recursive: true, force: true })
    } catch (error) {
      const isEmptied = lstatSync(path).isDirectory() && readdirSync(path).length === 0
      if (!isEmptied) throw error
    }
  },
}

export type Files = typeof files
