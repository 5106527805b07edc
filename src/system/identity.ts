import { statSync } from 'node:fs'

/** What tells a file from a copy of it. */
export type Identity = {
  /** The mounted file system, as this kernel numbers it. */
  readonly device: string
  readonly inode: string
  /** When it was made, to the nanosecond; `null` where the file system does not know. */
  readonly born: string | null
}

/** `undefined` when it is not there. */
export const identityOf = (path: string): Identity | undefined => {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false })
  if (stats === undefined) return undefined
  const { dev, ino, birthtimeNs, ctimeNs } = stats
  // Where the kernel has no statx(2), Node gives the time of the last change instead.
  const isKnown = birthtimeNs > 0n && birthtimeNs !== ctimeNs
  return { device: String(dev), inode: String(ino), born: isKnown ? String(birthtimeNs) : null }
}
