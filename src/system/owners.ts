import { chmodSync, chownSync, lchownSync, lstatSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

export type Owner = { readonly uid: number; readonly gid: number }

/**
 * Gives all in a folder to a user, and `last` after everything else: by that one somebody can tell whether it
 * was cut off. Links themselves are given, not what they lead to. Returns how many files it gave.
 */
export const giveTree = (folder: string, user: Owner, last: string): number => {
  let count = 0
  const give = (path: string): void => {
    const { uid, gid } = lstatSync(path)
    if (uid === user.uid && gid === user.gid) return
    lchownSync(path, user.uid, user.gid)
    count += 1
  }
  const visit = (path: string): void => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      const inside = join(path, entry.name)
      if (entry.isDirectory()) visit(inside)
      if (inside !== last) give(inside)
    }
  }
  visit(folder)
  for (const path of [folder, last]) if (lstatSync(path, { throwIfNoEntry: false })) give(path)
  return count
}

/** Gives a file or folder to a user (`undefined`: its own) with a mode, unless it is so already. */
export const setOwner = (path: string, user: Owner | undefined, mode: number): void => {
  const { uid, gid, mode: before } = statSync(path)
  // A folder that somebody else owns, such as a tmpfs of the platform, serves as it is. The mode comes first:
  // only the owner may change it.
  if ((before & 0o7777) !== mode && [0, uid].includes(process.getuid!())) chmodSync(path, mode)
  if (user && (uid !== user.uid || gid !== user.gid)) chownSync(path, user.uid, user.gid)
}
