import { isArchiveName } from '../../core/archive-name.ts'
import { spaceInWords } from '../../core/space.ts'
import { isTemporaryName } from '../../core/temporary.ts'
import { SupervisorError } from '../../errors.ts'
import type { Upload } from '../../system/ports.ts'
import { markIn, notThere, requireUsable } from '../../units/backup-folder.ts'
import { changeRecord } from '../../units/backup-record.ts'
import type { OperationScope } from '../scope.ts'
import type { Store } from './store.ts'

const MiB = 1024 * 1024
/** What has to stay free where an archive is written: a server that shares the file system needs it. */
const reserveBytes = 128 * MiB

/** How often it is looked at. */
const lookBytes = 4 * MiB

const markText = 'Backups of Mathesar are kept here. Without this file the folder is not used again.\n'

type Folder = {
  readonly title: string
  readonly path: string
  /** Whether it is that of the volume, in which nobody else writes. */
  readonly isOwn: boolean
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
    requireUsable(scope, path)
    if (!scope.system.files.isThere(markIn(path)))
      scope.system.files.writeWhole(markIn(path), markText, 0o644)
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
    if (code === 'ENOENT') throw notThere(path)
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
