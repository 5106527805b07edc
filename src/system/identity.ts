import { statSync } from 'node:fs'

/** What tells a file from a copy of it. */
export type Identity = {
  readonly inode: string
  /** When it was made, to the nanosecond; `null` where the file system does not know. */
  readonly born: string | null
}

/** `undefined` when it is not there. */
export const identityOf = (path: string): Identity | undefined => {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false })
  if (stats === undefined) return undefined
  const { ino, birthtimeNs, ctimeNs } = stats
  // Where the kernel has no statx(2), Node gives the time of the last change instead.
  const isKnown = birthtimeNs > 0n && birthtimeNs !== ctimeNs
  return { inode: String(ino), born: isKnown ? String(birthtimeNs) : null }
}
