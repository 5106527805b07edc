import { statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Seen } from '../core/settling.ts'
import { SupervisorError } from '../errors.ts'
import { fileLimitBytes } from '../settings/configuration.ts'
import { readRegular } from './files.ts'
import { findMounts, type MountOfFile, readMounts, whyStale } from './mounts.ts'

const findStale = (mounts: ReadonlyMap<string, MountOfFile>): Readonly<Record<string, string>> => {
  if (mounts.size === 0) return {} // Else this would be the most expensive part of a look.
  const now = readMounts()
  const stale: Record<string, string> = {}
  for (const [name, mount] of mounts) {
    const why = whyStale(mount, now.get(mount.point)?.root)
    if (why !== undefined) stale[name] = why
  }
  return stale
}

/** Reads the files of a folder as they are now. `mounts` are those of the files as they were first. */
export const readAll = (
  folder: string,
  names: readonly string[],
  mounts: ReadonlyMap<string, MountOfFile>,
): Seen => {
  const files: Record<string, string | undefined> = {}
  const unusable: Record<string, string> = {}
  for (const name of names) {
    try {
      files[name] = readRegular(join(folder, name), fileLimitBytes)
    } catch (error) {
      unusable[name] = (error as Error).message
    }
  }
  return { files, stale: findStale(mounts), unusable }
}

const ownerOf = (path: string): number | undefined => {
  try {
    return statSync(path).uid
  } catch {
    return undefined
  }
}

/** Whoever may read a file, as far as its owner tells. */
const hintFor = (path: string): string => {
  if (process.getuid!() === 0)
    return 'Modes do not stop root, so it is the mount: add `:Z` with SELinux, `no_root_squash` on NFS.'
  const owner = ownerOf(path) ?? ownerOf(dirname(path))
  if (owner === undefined) return 'This user may not enter its folder; a FUSE mount wants `allow_other`.'
  return owner === 0
    ? 'It belongs to root: start without `--user`, and run commands with `docker exec -u root`.'
    : `It belongs to user ${owner}: start with \`--user ${owner}:0\`, or let this user read it.`
}

const refusalOf = (path: string, why: string): SupervisorError =>
  why.startsWith('EACCES')
    ? new SupervisorError('VOLUME_NOT_WRITABLE', `cannot read ${path} as user ${process.getuid!()}: ${why}`, {
        hint: hintFor(path),
      })
    : new SupervisorError('SETTING_INVALID', `cannot read ${path}: ${why}`, {
        hint: 'Correct or remove the file and start the container again.',
      })

/**
 * One read without watching, by the same safety rules: what boot uses. It does not wait for a writer. Throws
 * on a file that cannot be used: to boot without the settings in it could mean another database.
 */
export const readConfigFiles = (folder: string, names: readonly string[]): Seen => {
  const seen = readAll(folder, names, findMounts(folder, names))
  const [first] = Object.entries(seen.unusable)
  if (first) throw refusalOf(join(folder, first[0]), first[1])
  return seen
}
