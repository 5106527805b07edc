import { statfsSync } from 'node:fs'
import type { Space } from '../core/space.ts'

/** What is free on the file system of a folder; `undefined` where it does not say. */
export const freeSpace = (path: string): Space | undefined => {
  try {
    const { bavail, bsize, files, ffree } = statfsSync(path)
    return { bytes: bavail * bsize, inodes: files === 0 ? undefined : ffree }
  } catch {
    return undefined
  }
}
