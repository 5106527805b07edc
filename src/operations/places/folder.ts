import { isArchiveName } from '../../core/archive-name.ts'
import { spaceInWords } from '../../core/space.ts'
import { isTemporaryName } from '../../core/temporary.ts'
import { SupervisorError } from '../../errors.ts'
import type { Upload } from '../../system/ports.ts'
import { changeRecord, readRecord } from '../../units/backup-record.ts'
import { mountOf } from '../../units/mounts.ts'
import type { OperationScope } from '../scope.ts'
import type { Store } from './store.ts'

const MiB = 1024 * 1024
/** What has to stay free where an archive is written: a server that shares the file system needs it. */
const reserveBytes = 128 * MiB

/** How often it is looked at. */
const lookBytes = 4 * MiB

/** Says that a folder was used before: on the empty folder of a disk that is not mounted it is missing. */
const markName = '.mathesar-backups'
const markText = 'Backups of Mathesar are kept here. Without this file the folder is not used again.\n'

type Folder = {
  readonly title: string
  readonly path: string
  /** Whether it is that of the volume, in which nobody else writes. */
  readonly isOwn: boolean
}

const failed = (why: string, hint: string): SupervisorError =>
  new SupervisorError('BACKUP_PLACE_FAILED', why, { hint })

const requireMount = ({ system, place }: OperationScope, { path }: Folder): void => {
  const mounts = system.readMounts()
  if (!system.files.isThere(path))
    throw failed(`cannot back up to ${path}: it is not there`, `Mount a folder: \`-v /srv/backups:${path}\`.`)
  if (mounts.size === 0 || path.startsWith(`${place.paths.data}/`) || mountOf(mounts, path).point !== '/')
    return
  throw failed(
    `cannot back up to ${path}: nothing is mounted there`,
    `It would be gone with the container. Mount a folder: \`-v /srv/backups:${path}\`.`,
  )
}

/** A host whose disk is not mounted shows the empty folder below, and would fill its own disk. */
const requireMark = (scope: OperationScope, { path }: Folder): void => {
  const { files } = scope.system
  if (files.isThere(`${path}/${markName}`)) return
  if (readRecord(scope).folders.includes(path))
    throw failed(
      `cannot back up to ${path}: ${markName} is missing in it, which earlier backups left there`,
      'Is the disk of the host mounted? Mount it and start the container again. If it is a new one: ' +
        `\`docker exec CONTAINER touch ${path}/${markName}\`.`,
    )
  files.writeWhole(`${path}/${markName}`, markText, 0o644)
}

const requireRoom = ({ system }: OperationScope, { path }: Folder): void => {
  const space = system.files.freeSpace(path)
  if (space === undefined || (space.bytes >= reserveBytes && space.inodes !== 0)) return
  throw new SupervisorError('VOLUME_FULL', `cannot write an archive to ${path}: ${spaceInWords(space)}`, {
    hint:
      'Nothing of it was kept. Free some space, keep fewer (BACKUP_KEEP), or write elsewhere (BACKUP_TO, ' +
      '`… backup - > FILE`).',
  })
}

/** What a write that was cut off left in the volume: whoever holds the lock of operations is alone there. */
const removeUnfinished = ({ system: { files } }: OperationScope, { path, isOwn }: Folder): void => {
  if (!isOwn) return
  for (const name of files.listFolder(path)) if (isTemporaryName(name)) files.remove(`${path}/${name}`)
}

const begin = async (scope: OperationScope, folder: Folder, name: string): Promise<Upload> => {
  const { path, isOwn } = folder
  if (!isOwn) {
    requireMount(scope, folder)
    requireMark(scope, folder)
  }
  removeUnfinished(scope, folder)
  requireRoom(scope, folder)
  const file = await scope.system.createFile(`${path}/${name}`)
  let sinceLook = 0
  return {
    ...file,
    write: async (chunk) => {
      sinceLook += chunk.length
      if (sinceLook > lookBytes) {
        requireRoom(scope, folder)
        sinceLook = 0
      }
      await file.write(chunk)
    },
    finish: async () => {
      await file.finish()
      if (isOwn) return
      changeRecord(scope, ({ folders }) => ({ folders: [...new Set([...folders, path])] }))
    },
  }
}

/** Puts words to what the system says. */
const withWords = async <T>({ path }: Folder, act: () => Promise<T>): Promise<T> => {
  try {
    return await act()
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (error instanceof SupervisorError || code === 'ENOSPC' || code === 'EDQUOT') throw error
    throw new SupervisorError('BACKUP_PLACE_FAILED', `cannot use ${path}: ${message}`, { cause: error })
  }
}

/** A folder with archives. */
export const openFolder = (scope: OperationScope, folder: Folder): Store => {
  const { files, sizeOf, readStream } = scope.system
  const { title, path } = folder
  return {
    title,
    list: () =>
      withWords(folder, async () =>
        files
          .listFolder(path)
          .filter(isArchiveName)
          .map((name) => ({ name, bytes: sizeOf(`${path}/${name}`) })),
      ),
    read: (name) => readStream(`${path}/${name}`),
    begin: (name) => withWords(folder, () => begin(scope, folder, name)),
    remove: (name) => withWords(folder, async () => files.removeWhole(`${path}/${name}`)),
  }
}
