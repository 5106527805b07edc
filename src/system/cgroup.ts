import { basename, dirname } from 'node:path'
import type { Mount } from './mounts.ts'

type Read = (path: string) => string | undefined
type Limits = { readonly memoryBytes: number; readonly cpus: number; readonly processes: number }

const none = Number.POSITIVE_INFINITY

/** Where a control group is seen: its own folder, and those above it up to the mount of its hierarchy. */
const foldersOf = ({ point, root }: Mount, path: string): readonly string[] => {
  const above = root === '/' ? '' : root
  const folders = [point]
  const isBelow = path.startsWith(`${above}/`) && !path.includes('/..')
  for (
    let at = isBelow ? point + path.slice(above.length) : point;
    at.length > point.length;
    at = dirname(at)
  )
    folders.push(at)
  return folders
}

/**
 * The folders in which a controller of this process has its limits (cgroups(7)). A group of version 1 is in
 * the hierarchy of the controller; all of version 2 are in the one that has no name.
 */
const foldersFor = (
  controller: string,
  mounts: Iterable<Mount>,
  membership: string,
): { readonly v1: readonly string[]; readonly v2: readonly string[] } => {
  const groups = membership.split('\n').map((line) => /^\d+:([^:]*):(.*)$/.exec(line) ?? [])
  const find = (names: (text: string) => boolean, isMount: (mount: Mount) => boolean): readonly string[] =>
    [...mounts]
      .filter(isMount)
      .flatMap((mount) =>
        groups.flatMap(([, controllers, path]) =>
          controllers !== undefined && path !== undefined && names(controllers) ? foldersOf(mount, path) : [],
        ),
      )
  const has = (list: string): boolean => list.split(',').includes(controller)
  return {
    v1: find(has, ({ fileSystem, point }) => fileSystem === 'cgroup' && has(basename(point))),
    v2: find(
      (controllers) => controllers === '',
      ({ fileSystem }) => fileSystem === 'cgroup2',
    ),
  }
}

/** The least of the positive numbers. */
const leastOf = (values: readonly number[]): number => Math.min(none, ...values.filter((value) => value > 0))

/**
 * What the control groups of this process permit, each at every level that is seen from here: a limit above
 * holds for all below. `membership` is /proc/self/cgroup.
 */
export const readLimits = (mounts: Iterable<Mount>, membership: string, read: Read): Limits => {
  const all = [...mounts]
  const numberIn = (path: string): number => Number(read(path)?.trim() || Number.NaN)
  const memory = foldersFor('memory', all, membership)
  const cpu = foldersFor('cpu', all, membership)
  const pids = foldersFor('pids', all, membership)
  return {
    memoryBytes: leastOf([
      ...memory.v1.map((folder) => numberIn(`${folder}/memory.limit_in_bytes`)),
      ...memory.v2.map((folder) => numberIn(`${folder}/memory.max`)),
    ]),
    cpus: leastOf([
      ...cpu.v1.map(
        (folder) => numberIn(`${folder}/cpu.cfs_quota_us`) / numberIn(`${folder}/cpu.cfs_period_us`),
      ),
      ...cpu.v2.map((folder) => {
        const [quota, period] = (read(`${folder}/cpu.max`) ?? '').split(' ').map(Number)
        return (quota ?? Number.NaN) / (period ?? Number.NaN)
      }),
    ]),
    processes: leastOf([...pids.v1, ...pids.v2].map((folder) => numberIn(`${folder}/pids.max`))),
  }
}
