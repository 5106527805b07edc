import { SupervisorError, toSupervisorError } from '../errors.ts'
import { parsePlace } from '../settings/backup-places.ts'
import type { InForce } from '../settings/configuration.ts'
import { readRecord } from './backup-record.ts'
import { mountOf } from './mounts.ts'
import type { Where } from './unit.ts'

/** Folders that BACKUP_TO names, which somebody has to mount. */

/** Says that a folder was used before: on the empty folder of a disk that is not mounted it is missing. */
const markName = '.mathesar-backups'

export const markIn = (path: string): string => `${path}/${markName}`

const failed = (why: string, hint: string): SupervisorError =>
  new SupervisorError('BACKUP_PLACE_FAILED', why, { hint })

export const notThere = (path: string): SupervisorError =>
  failed(`cannot use ${path}: it is not there`, `Mount a folder: \`-v /srv/backups:${path}\`.`)

const requireMount = ({ system, place }: Where, path: string): void => {
  const mounts = system.readMounts()
  if (!system.files.isThere(path)) throw notThere(path)
  if (mounts.size === 0 || path.startsWith(`${place.paths.data}/`) || mountOf(mounts, path).point !== '/')
    return
  throw failed(
    `cannot back up to ${path}: nothing is mounted there`,
    `It would be gone with the container. Mount a folder: \`-v /srv/backups:${path}\`.`,
  )
}

/** A host whose disk is not mounted shows the empty folder below, and would fill its own disk. */
const requireMark = (where: Where, path: string): void => {
  if (where.system.files.isThere(markIn(path)) || !readRecord(where).folders.includes(path)) return
  throw failed(
    `cannot back up to ${path}: ${markName} is missing in it, which earlier backups left there`,
    'Is the disk of the host mounted? Mount it and start the container again. If it is a new one: ' +
      `\`docker exec CONTAINER touch ${markIn(path)}\`.`,
  )
}

/** Throws where an archive in a folder would be lost. */
export const requireUsable = (where: Where, path: string): void => {
  requireMount(where, path)
  requireMark(where, path)
}

/** Why folders among places of BACKUP_TO cannot be used, by the text that names them. */
export const whyUnusable = (where: Where, places: readonly string[]): ReadonlyMap<string, SupervisorError> =>
  new Map(
    places.flatMap((text) => {
      const place = parsePlace(text)
      if (place?.kind !== 'folder') return []
      try {
        requireUsable(where, place.path)
        return []
      } catch (error) {
        return [[text, toSupervisorError(error)] as const]
      }
    }),
  )

type Places = Pick<InForce, 'settings'>

/** Throws where a change of the settings names a folder that cannot be used. */
export const requireNewUsable = (where: Where, before: Places, after: Places): void => {
  const isNew = (place: string): boolean => !before.settings.BACKUP_TO.includes(place)
  for (const error of whyUnusable(where, after.settings.BACKUP_TO.filter(isNew)).values()) throw error
}
