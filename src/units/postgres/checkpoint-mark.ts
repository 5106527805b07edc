import { isTemporaryName } from '../../core/temporary.ts'
import { inVolume } from '../place.ts'
import type { Where } from '../unit.ts'

/**
 * A file in the folder of the cluster says in its name from where the log would be replayed, since the last
 * checkpoint was seen to be complete. Whoever copies the folder has read its names before the first file in
 * it. So where the copy of the control file tells of the same place, all of the copy was made after that
 * checkpoint. Where a later one came, the name is another, or the file had gone before its turn came.
 */
const prefix = 'supervisor.checkpoint-'

export const isMarked = ({ system: { files }, place }: Where, checkpoint: string): boolean =>
  files.isThere(`${inVolume(place.paths).cluster}/${prefix}${checkpoint}`)

/** A folder is none of ours, and Postgres's user may have put millions of files in it. */
const removeFile = ({ files }: Where['system'], path: string): void => {
  try {
    files.removeWhole(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_FS_EISDIR') throw error
  }
}

/** After the checkpoint: what was changed before it is in the files. */
export const markCheckpoint = (where: Where, checkpoint: string | null): void => {
  if (checkpoint === null || isMarked(where, checkpoint)) return
  const { files } = where.system
  const { cluster } = inVolume(where.place.paths)
  const own = prefix + checkpoint
  files.writeWhole(`${cluster}/${own}`, 'Tells what a copy of this folder is worth.\n', 0o644)
  const isOver = (name: string): boolean => name.startsWith(prefix) || isTemporaryName(name)
  for (const name of files.listFolder(cluster))
    if (isOver(name) && name !== own) removeFile(where.system, `${cluster}/${name}`)
}
