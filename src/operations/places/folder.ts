import { dayMs, MiB } from '../../core/amounts.ts'
import { isArchiveName } from '../../core/archive-name.ts'
import { reserveBytes } from '../../core/space.ts'
import { isTemporaryName } from '../../core/temporary.ts'
import { SupervisorError } from '../../errors.ts'
import type { Upload } from '../../system/ports.ts'
import { markIn, notThere, requireUsable } from '../../units/backup-folder.ts'
import { changeRecord } from '../../units/backup-record.ts'
import { requireFreeBytes } from '../../units/space.ts'
import type { OperationScope } from '../scope.ts'
import type { Store } from './store.ts'

/** After how many bytes the space that is left is looked at. */
const lookBytes = 4 * MiB

const markText = 'Backups of Mathesar are kept here. Without this file the folder is not used again.\n'

type Folder = {
  readonly title: string
  readonly path: string
  /** Whether it is that of the volume, in which nobody else writes. */
  readonly isOwn: boolean
}

const roomHint =
  'Nothing of it was kept. Free some space, keep fewer (BACKUP_KEEP), or write elsewhere (BACKUP_TO, ' +
  '`… backup - > FILE`).'

/** A server that shares the file system needs the rest. */
const requireRoom = (scope: OperationScope, { path }: Folder): void =>
  requireFreeBytes(scope, path, reserveBytes, { what: `write an archive to ${path}`, hint: roomHint })

/**
 * What a write that was cut off left. Whoever holds the lock of operations is alone in the volume; into a
 * mounted folder other installations may write, but none for a day without a byte.
 */
const removeUnfinished = ({ system: { files, clock } }: OperationScope, { path, isOwn }: Folder): void => {
  const isLeft = (file: string): boolean =>
    isOwn || (files.statOf(file)?.changedMs ?? Number.POSITIVE_INFINITY) < clock.now() - dayMs
  for (const file of files
    .listFolder(path)
    .filter(isTemporaryName)
    .map((name) => `${path}/${name}`))
    try {
      if (isLeft(file)) files.remove(file)
    } catch (error) {
      if (isOwn) throw error // In a folder of the host it may be somebody else's.
    }
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
    write: (chunk) =>
      withWords(scope, folder, async () => {
        sinceLook += chunk.length
        if (sinceLook > lookBytes) {
          requireRoom(scope, folder)
          sinceLook = 0
        }
        await file.write(chunk)
      }),
    finish: async () => {
      await withWords(scope, folder, () => file.finish())
      if (isOwn) return
      changeRecord(scope, ({ folders }) => ({ folders: [...new Set([...folders, path])] }))
    },
  }
}

const diskFailed = 'The disk failed (EIO): look at `dmesg` on the host.'

const failedIn = ({ system: { files } }: OperationScope, folder: Folder, cause: unknown): unknown => {
  const { path } = folder
  const { code, message } = cause as NodeJS.ErrnoException
  if (cause instanceof SupervisorError) return cause
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new SupervisorError('VOLUME_FULL', `cannot write an archive to ${path}: no space left`, {
      cause,
      hint: roomHint,
    })
  if (code === 'ENOENT' && !files.isThere(path)) return notThere(path)
  const why = code === 'ENOENT' ? 'what was written there is gone' : message
  const hint = code === 'EIO' ? diskFailed : undefined
  return new SupervisorError('BACKUP_PLACE_FAILED', `cannot use ${path}: ${why}`, { cause, hint })
}

/** Puts words to what the system says, with the place that it says it of. */
const withWords = async <T>(scope: OperationScope, folder: Folder, act: () => Promise<T>): Promise<T> => {
  try {
    return await act()
  } catch (error) {
    throw failedIn(scope, folder, error)
  }
}

const unreadable = (path: string, cause: unknown): SupervisorError => {
  const { code, message } = cause as NodeJS.ErrnoException
  if (code === 'EISDIR')
    return new SupervisorError('USAGE', `cannot open ${path}: it is a folder`, {
      cause,
      hint: 'Name one archive in it: `supervisor backup list FOLDER` shows what there is.',
    })
  const why = code === 'ENOENT' ? 'it is not there' : message
  const hint = code === 'EIO' ? diskFailed : 'The container has to reach it, and its user to read it.'
  return new SupervisorError('BACKUP_PLACE_FAILED', `cannot read ${path}: ${why}`, {
    cause,
    hint: `${hint} Nothing was changed.`,
  })
}

/** An archive that is a file. */
export async function* readArchive({ system }: OperationScope, path: string): AsyncGenerator<Buffer> {
  try {
    yield* system.readStream(path)
  } catch (error) {
    throw unreadable(path, error)
  }
}

/** A folder with archives. */
export const openFolder = (scope: OperationScope, folder: Folder): Store => {
  const { files, sizeOf } = scope.system
  const { title, path } = folder
  return {
    title,
    list: () =>
      withWords(scope, folder, async () =>
        files
          .listFolder(path)
          .filter(isArchiveName)
          .map((name) => ({ name, bytes: sizeOf(`${path}/${name}`) })),
      ),
    read: (name) => readArchive(scope, `${path}/${name}`),
    begin: (name) => withWords(scope, folder, () => begin(scope, folder, name)),
    remove: (name) => withWords(scope, folder, async () => files.removeWhole(`${path}/${name}`)),
  }
}
