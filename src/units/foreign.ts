import { SupervisorError } from '../errors.ts'
import { readManifest } from './manifest.ts'
import { foreignMounts } from './mounts.ts'
import { inVolume } from './place.ts'
import type { Scope, Where } from './unit.ts'

/** The most folders that are looked into. */
const limit = 100

/** Clusters in a folder or in one of the two levels below; Debian has its own in 17/main. */
const clustersIn = (
  { files }: Scope['system'],
  folder: string,
  own: ReadonlySet<string>,
): readonly string[] => {
  let folders = [folder]
  for (let level = 0; level <= 2; level++) {
    const found = folders.filter((path) => files.isThere(`${path}/PG_VERSION`))
    if (found.length > 0) return found
    folders = folders
      .flatMap((path) => files.listFoldersIn(path).map((name) => `${path}/${name}`))
      .filter((path) => !own.has(path))
      .slice(0, limit)
  }
  return []
}

/** Where clusters of other images may be: in the volume itself, or mounted where those keep theirs. */
export const foreignPlaces = ({ system, place }: Where): readonly string[] => [
  place.paths.data,
  ...foreignMounts(system.readMounts()),
]

/** The clusters in some folders that are not the one of this installation. */
export const foreignClusters = ({ system, place }: Where, folders: readonly string[]): readonly string[] => {
  const own = new Set(Object.values(inVolume(place.paths)))
  return [...new Set(folders.flatMap((folder) => clustersIn(system, folder, own)))]
}

/** How somebody types a command of rescue for what is mounted in this container, stopped or not. */
const rescueHint = (options: string): string =>
  `\`docker run --rm --volumes-from CONTAINER IMAGE rescue${options}\``

/** Refuses to make a new cluster beside one of another image, which would look as if all data were gone. */
export const requireNoForeignCluster = (scope: Scope<never>): void => {
  const { system, place, inForce } = scope
  const { cluster } = inVolume(place.paths)
  const isNew = !system.files.isThere(`${cluster}/PG_VERSION`) && readManifest(scope).cluster === undefined
  if (inForce.database.kind === 'external' || !isNew) return
  const [found] = foreignClusters(scope, foreignPlaces(scope))
  if (found === undefined) return
  throw new SupervisorError(
    'CLUSTER_UNUSABLE',
    `cannot begin with an empty installation: there is a cluster of another image in ${found}, and none in ` +
      cluster,
    {
      hint:
        `Take it over with everything in it: ${rescueHint(' --adopt')} (without \`--adopt\` it says ` +
        `what is there). To start over beside it, start without that mount or move ${found} away. ` +
        'Nothing was changed.',
    },
  )
}
