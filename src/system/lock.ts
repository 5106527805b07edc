import { closeSync, openSync } from 'node:fs'
import type { Kernel } from './kernel.ts'
import type { System } from './ports.ts'

/** Locks that this process takes once, and has until its end. */
export const createLock = ({ tryLock }: Pick<Kernel, 'tryLock'>): System['lock'] => {
  const ours = new Set<string>()
  /** The descriptor is the lock: it stays open if it is ours. */
  const take = (path: string, flags: 'w' | 'r'): boolean => {
    const fd = openSync(path, flags, 0o600)
    let isTaken = false
    try {
      isTaken = tryLock(fd)
    } finally {
      if (!isTaken) closeSync(fd)
    }
    return isTaken
  }
  return (path, how = 'write') => {
    if (!ours.has(path) && take(path, how === 'write' ? 'w' : 'r')) ours.add(path)
    return ours.has(path)
  }
}
