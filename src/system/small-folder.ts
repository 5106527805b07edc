import { lstatSync, opendirSync, rmdirSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'

/** It must take no time to speak of. */
const mostNames = 16
const mostBytesOfFile = 64 * 1024

/** The names in a folder, or the first `most` of them. */
const firstNames = (folder: string, most: number): readonly string[] => {
  using entries = opendirSync(folder)
  const names: string[] = []
  while (names.length < most) {
    const entry = entries.readSync()
    if (entry === null) break
    names.push(entry.name)
  }
  return names
}

const isRemoved = (path: string): boolean => {
  const stats = lstatSync(path)
  if (stats.isDirectory()) rmdirSync(path)
  else if (stats.size > mostBytesOfFile) return false
  else unlinkSync(path)
  return true
}

/**
 * Removes a folder with next to nothing in it, if it is there: a few small files and empty folders. False
 * where there is more, of which some may be gone then, where it cannot be removed, as a mount point, and
 * where it is a link: what that leads to is somebody else's.
 */
export const removeSmall = (folder: string): boolean => {
  try {
    if (!lstatSync(folder).isDirectory()) return false
    const names = firstNames(folder, mostNames + 1)
    if (names.length > mostNames || !names.every((name) => isRemoved(join(folder, name)))) return false
    rmdirSync(folder)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
  }
}
