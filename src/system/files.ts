import {
  accessSync,
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'

const syncPath = (path: string): void => {
  const fd = openSync(path, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

const refuseUnlessFile = (stats: Stats): void => {
  if (stats.isDirectory())
    throw new Error('it is a folder; Docker makes one where the file of a mount is missing on the host')
  if (!stats.isFile()) throw new Error('it is not a regular file')
}

/** Most files are smaller: a larger buffer is made only for those that need it. */
const usualBytes = 64 * 1024

/** The whole of a regular file, or `undefined` when it is not there. Throws when it is larger or another kind of file. */
const readBytes = (path: string, limitBytes: number, followsLinks: boolean): Buffer | undefined => {
  try {
    const stats = (followsLinks ? statSync : lstatSync)(path, { throwIfNoEntry: false })
    if (stats === undefined) return undefined
    refuseUnlessFile(stats)
    const fd = openSync(
      path,
      constants.O_RDONLY |
        constants.O_NONBLOCK |
        constants.O_NOCTTY |
        (followsLinks ? 0 : constants.O_NOFOLLOW),
    )
    try {
      refuseUnlessFile(fstatSync(fd))
      let buffer = Buffer.allocUnsafe(Math.min(limitBytes, usualBytes) + 1)
      for (let length = 0; ;) {
        const count = readSync(fd, buffer, length, buffer.length - length, null)
        length += count
        if (count === 0) return buffer.subarray(0, length)
        if (length > limitBytes) throw new Error(`it is larger than ${limitBytes / 1024} KiB`)
        if (length === buffer.length) buffer = Buffer.concat([buffer], Math.min(limitBytes + 1, 4 * length))
      }
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined // It went between two of these calls.
    throw error
  }
}

/**
 * Root reads here what another user may have written, so only a regular file is read, and no more of it than permitted. A device is
 * not even opened, and O_NONBLOCK keeps a FIFO that comes in between from hanging us. Links are followed, for a ConfigMap of Kubernetes
 * is made of them. That is safe as long as nobody but the supervisor's user may write the folder: who may write a file in it cannot
 * put a link there. Bytes that are not UTF-8 become U+FFFD.
 */
export const readRegular = (path: string, limitBytes: number): string | undefined =>
  readBytes(path, limitBytes, true)?.toString('utf8')

/** Tells temporary files apart. */
let made = 0

/** Files that are whole or absent, also after a crash: a temporary file beside, mode first, fsync, rename, fsync of the folder. */
export const files = {
  /** `undefined` when it is not there; throws when it is larger or no file. */
  readIfThere: (path: string, limitBytes = 256 * 1024): string | undefined => readRegular(path, limitBytes),

  /** The same in a folder that another user may write, who could put a link there: none is followed. */
  readForeign: (path: string, limitBytes: number): Buffer | undefined => readBytes(path, limitBytes, false),

  /** Whether a user (`undefined`: this one) may read a file, as far as its mode tells. Throws when it is not there. */
  mayRead: (path: string, user: { readonly uid: number; readonly gid: number } | undefined): boolean => {
    const { uid, gid, mode } = statSync(path)
    return user === undefined || ((mode >> (uid === user.uid ? 6 : gid === user.gid ? 3 : 0)) & 4) !== 0
  },

  isThere: (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined,

  /** The uid that a file belongs to. */
  ownerOf: (path: string): number | undefined => statSync(path, { throwIfNoEntry: false })?.uid,

  /** Throws when this file, or one that is not there yet in its folder, cannot be written. */
  requireWritable: (path: string): void =>
    accessSync(statSync(path, { throwIfNoEntry: false }) ? path : dirname(path), constants.W_OK),

  /** Asks `mayReplace` when all is ready, an instant before the file is replaced; returns whether it was. */
  writeWhole: (path: string, text: string, mode: number, mayReplace = (): boolean => true): boolean => {
    const temporary = join(dirname(path), `.${Date.now().toString(36)}-${++made}.tmp`)
    const fd = openSync(temporary, 'wx', mode)
    try {
      try {
        fchmodSync(fd, mode)
        // A file of somebody else, in a folder of the host, stays theirs.
        const { uid, gid } = statSync(path, { throwIfNoEntry: false }) ?? {
          uid: process.getuid!(),
          gid: process.getgid!(),
        }
        if (process.getuid!() === 0 && uid !== 0) fchownSync(fd, uid, gid)
        writeFileSync(fd, text)
        fsyncSync(fd)
      } finally {
        closeSync(fd)
      }
      if (!mayReplace()) {
        rmSync(temporary)
        return false
      }
      renameSync(temporary, path)
    } catch (error) {
      rmSync(temporary, { force: true })
      throw error
    }
    syncPath(dirname(path))
    return true
  },

  /** Throws when a folder has no room for so much more. What is written for it never reaches the disk. */
  requireSpace: (folder: string, bytes: number): void => {
    const path = `${folder}/.space`
    try {
      writeFileSync(path, Buffer.alloc(bytes), { mode: 0o600 })
    } finally {
      rmSync(path, { force: true })
    }
  },

  /** For a file that cannot be replaced, such as a mount of its own. */
  writeInPlace: (path: string, text: string): void => writeFileSync(path, text, { flush: true }),

  listFolder: (path: string): readonly string[] => readdirSync(path),

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

  /** Makes a folder and those above it. A link that leads nowhere yet gets the folder that it points to. */
  makeFolder: (path: string, mode: number): void => {
    const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true
    mkdirSync(isLink ? resolve(dirname(path), readlinkSync(path)) : path, { recursive: true, mode })
  },

  remove: (path: string): void => rmSync(path, { recursive: true, force: true }),
}

/** Gives a file or folder to a user (`undefined`: whom it has) with a mode, unless it is so already. */
export const give = (
  path: string,
  user: { readonly uid: number; readonly gid: number } | undefined,
  mode: number,
): void => {
  const { uid, gid, mode: before } = statSync(path)
  // A folder that somebody else owns, such as a tmpfs of the platform, serves as it is. The mode first: it is the owner's to change.
  if ((before & 0o7777) !== mode && [0, uid].includes(process.getuid!())) chmodSync(path, mode)
  if (user && (uid !== user.uid || gid !== user.gid)) chownSync(path, user.uid, user.gid)
}

export type Files = typeof files
