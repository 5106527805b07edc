import { readFileSync, realpathSync } from 'node:fs'
import { join } from 'node:path'

/**
 * What is mounted at a point. `root` is a path in the file system that it comes from, `fileSystem` the type
 * of that (ext4, overlay, nfs4, …).
 */
export type Mount = { readonly point: string; readonly root: string; readonly fileSystem: string }

/** A file that is a mount of its own, or is in a folder that is one. */
export type MountOfFile = Pick<Mount, 'point' | 'root'> & { readonly kind: 'file' | 'folder' }

/** The kernel escapes spaces and the like in octal. */
const unescapePath = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))

/** The mounts in a mountinfo (proc_pid_mountinfo(5)) by their point. Of several there, the last counts. */
export const parseMounts = (mountinfo: string): ReadonlyMap<string, Mount> =>
  new Map(
    mountinfo
      .trimEnd()
      .split('\n')
      .map((line) => {
        const fields = line.split(' ')
        const [, , , root = '', escapedPoint = ''] = fields
        const point = unescapePath(escapedPoint)
        const fileSystem = fields[fields.indexOf('-', 6) + 1] ?? ''
        return [point, { point, root: unescapePath(root), fileSystem }]
      }),
  )

/** The mounts that this process sees; none where /proc is not as usual. */
export const readMounts = (): ReadonlyMap<string, Mount> => {
  try {
    return parseMounts(readFileSync('/proc/self/mountinfo', 'utf8'))
  } catch {
    return new Map()
  }
}

/** For each of the files that a mount holds, that mount as it is now. */
export const findMounts = (folder: string, names: readonly string[]): ReadonlyMap<string, MountOfFile> => {
  const mounts = readMounts()
  const mountAt = (kind: MountOfFile['kind'], path: string): MountOfFile | undefined => {
    try {
      const mount = mounts.get(realpathSync.native(path))
      return mount && { kind, point: mount.point, root: mount.root }
    } catch {
      return undefined // What is not there, or cannot be reached, is not a mount point either.
    }
  }
  return new Map(
    names.flatMap((name) => {
      const mount = mountAt('file', join(folder, name)) ?? mountAt('folder', folder)
      return mount ? [[name, mount]] : []
    }),
  )
}

/**
 * Why changes on the host no longer arrive. A mount holds an inode, not a name: when the host replaces the
 * file, the container keeps the old one. The kernel says what became of the name of that one: `//deleted`
 * when another file took it, also where a hard link keeps the old file alive (its link count then says
 * nothing), or a new name when an editor moved the old file aside as a backup.
 */
export const whyStale = ({ kind, root }: MountOfFile, rootNow: string | undefined): string | undefined => {
  if (rootNow === undefined || (rootNow === root && !root.endsWith('//deleted'))) return undefined
  const became = rootNow.endsWith('//deleted') ? 'replaced or deleted' : `moved to ${rootNow}`
  const advice = kind === 'file' ? '; mount its folder instead of the file, and changes arrive' : ''
  const effect = 'the container keeps the old one until it is started again'
  return `the mounted ${kind} was ${became} on the host: ${effect}${advice}`
}
