import { SupervisorError } from '../errors.ts'
import { readManifest } from './manifest.ts'
import { foreignMounts } from './mounts.ts'
import { inVolume } from './place.ts'
import type { Scope } from './unit.ts'

/** The most folders that are looked into. */
const limit = 100

/** A cluster in a folder or in one of the two levels below; Debian has its own in 17/main. */
const findCluster = (
  { files }: Scope['system'],
  folder: string,
  own: ReadonlySet<string>,
): string | undefined => {
  let folders = [folder]
  for (let level = 0; level <= 2; level++) {
    const found = folders.find((path) => files.isThere(`${path}/PG_VERSION`))
    if (found !== undefined) return found
    folders = folders
      .flatMap((path) => files.listFoldersIn(path).map((name) => `${path}/${name}`))
      .filter((path) => !own.has(path))
      .slice(0, limit)
  }
  return undefined
}

/**
 * Refuses to make a new cluster beside one of another image, which would look as if all data were gone: in
 * the volume itself, or in one that is mounted where other images keep theirs.
 */
export const requireNoForeignCluster = (scope: Scope<never>): void => {
  const { system, place, inForce } = scope
  const { cluster, ...others } = inVolume(place.paths)
  const isNew = !system.files.isThere(`${cluster}/PG_VERSION`) && readManifest(scope).cluster === undefined
  if (inForce.database.kind === 'external' || !isNew) return
  const own = new Set([cluster, ...Object.values(others)])
  const places = [place.paths.data, ...foreignMounts(system.readMounts())]
  const found = places.map((folder) => findCluster(system, folder, own)).find((path) => path !== undefined)
  if (found === undefined) return
  throw new SupervisorError(
    'CLUSTER_UNUSABLE',
    `cannot begin with an empty installation: there is a cluster of another image in ${found}, and none in ` +
      cluster,
    {
      hint:
        'Move its data with pg_dump: start the image that it was made with, and give this one a volume of ' +
        `its own. To begin anew beside it, start without that mount or move ${found} away. ` +
        'Nothing was changed.',
    },
  )
}
