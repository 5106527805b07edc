import { watch } from 'node:fs'
import type { System } from './ports.ts'

/** The kernel tells of a file, not of a path: not that another one has come to its place. */
export const whenWritten: System['whenWritten'] = (path, act) => {
  try {
    const watcher = watch(path, { persistent: false }, () => act())
    // It is not told any more then; whoever looks for themselves now and then is late, and no more.
    watcher.on('error', () => watcher.close())
    return () => watcher.close()
  } catch {
    return undefined // It is not there, or inotify is used up.
  }
}
