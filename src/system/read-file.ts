import { closeSync, constants, fstatSync, lstatSync, openSync, readSync, type Stats, statSync } from 'node:fs'

const requireFile = (stats: Stats): void => {
  if (stats.isDirectory())
    throw new Error('it is a folder; Docker creates one where the file of a mount is missing on the host')
  if (!stats.isFile()) throw new Error('it is not a regular file')
}

/** Most files are smaller: only those that need it get a larger buffer. */
const usualBytes = 64 * 1024

const readToEnd = (fd: number, limitBytes: number): Buffer => {
  let buffer = Buffer.allocUnsafe(Math.min(limitBytes, usualBytes) + 1)
  for (let length = 0; ;) {
    const count = readSync(fd, buffer, length, buffer.length - length, null)
    length += count
    if (count === 0) return buffer.subarray(0, length)
    if (length > limitBytes) throw new Error(`it is larger than ${limitBytes / 1024} KiB`)
    if (length === buffer.length) buffer = Buffer.concat([buffer], Math.min(limitBytes + 1, 4 * length))
  }
}

/** A whole regular file; `undefined` when it is not there. Throws when it is larger or not such a file. */
export const readBytes = (path: string, limitBytes: number, followsLinks: boolean): Buffer | undefined => {
  try {
    const stats = (followsLinks ? statSync : lstatSync)(path, { throwIfNoEntry: false })
    if (stats === undefined) return undefined
    requireFile(stats)
    const { O_RDONLY, O_NONBLOCK, O_NOCTTY, O_NOFOLLOW } = constants
    const fd = openSync(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | (followsLinks ? 0 : O_NOFOLLOW))
    try {
      requireFile(fstatSync(fd))
      return readToEnd(fd, limitBytes)
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    // It went away between two of these calls.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
