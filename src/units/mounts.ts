import type { Mount } from '../system/mounts.ts'
import { inVolume, type Paths } from './place.ts'

type Mounts = ReadonlyMap<string, Mount>

const nowhere: Mount = { point: '/', root: '/', fileSystem: 'unknown' }

const isIn = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`)

/** The mount that a path is in. */
export const mountOf = (mounts: Mounts, path: string): Mount =>
  [...mounts.values()]
    .filter(({ point }) => isIn(path, point))
    .reduce((nearest, mount) => (mount.point.length >= nearest.point.length ? mount : nearest), nowhere)

/** Where images of Mathesar and of Postgres keep what lasts. Nothing here looks there. */
const elsewhere = ['/var/lib/postgresql', '/etc/postgresql', '/code/.secrets', '/code/.media']

/** The mounts at places where other images keep what lasts. */
export const foreignMounts = (mounts: Mounts): readonly string[] =>
  [...mounts.keys()].filter((point) => elsewhere.some((folder) => isIn(point, folder)))

/** Why what is written to a folder does not last, if it does not. */
export const whyLost = (mounts: Mounts, folder: string): string | undefined => {
  const { point, root, fileSystem } = mountOf(mounts, folder)
  if (mounts.size === 0) return undefined
  if (fileSystem === 'tmpfs' || fileSystem === 'ramfs')
    return `${folder} is in memory (${fileSystem} at ${point}): all in it is lost when the container stops`
  if (root.includes('/kubernetes.io~empty-dir/'))
    return `${folder} is an emptyDir: all in it is lost with the pod`
  if (point === '/') return `${folder} is in the container itself: all in it is lost when that is removed`
  if (/\/volumes\/[0-9a-f]{64}\/_data$/.test(root))
    return `${folder} is an anonymous volume: a new container does not find it, and --rm removes it`
  return undefined
}

/** A sentence for each mount that somebody may think is used, and for data that will be lost. */
export const mountWarnings = (mounts: Mounts, paths: Paths): readonly string[] => {
  const { data } = paths
  const lost = whyLost(mounts, data)
  const own = Object.values(inVolume(paths))
  const strays = [...mounts.keys()].filter(
    (point) => point !== data && isIn(point, data) && !own.some((folder) => isIn(point, folder)),
  )
  const above = [...mounts.keys()].filter((point) => point !== '/' && point !== data && isIn(data, point))
  const unused = lost === undefined ? [] : [...strays, ...above]
  return [
    ...(lost === undefined ? [] : [`${lost}. To keep it, start with \`-v mathesar:${data}\``]),
    ...[...unused, ...foreignMounts(mounts)].map(
      (point) => `nothing is kept in what is mounted at ${point}: mount it at ${data}`,
    ),
  ]
}
