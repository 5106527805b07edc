import { copyFile, chown, lstat, mkdir, readdir, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

type Copying = {
  /** In the order of names, as rsync; or in any, as what goes by the order of the folder. */
  readonly order: 'names' | 'any'
  readonly pauseMs: number
}

const orderOf = (names: readonly string[], order: Copying['order']): readonly string[] => {
  const keys = new Map(names.map((name) => [name, Math.random()]))
  return order === 'names'
    ? names.toSorted()
    : names.toSorted((one, other) => keys.get(one)! - keys.get(other)!)
}

/** Copies a folder file by file, as the tools of a NAS do, while somebody writes to it. */
export const copyWhileWritten = async (from: string, to: string, copying: Copying): Promise<void> => {
  const stats = await lstat(from).catch(() => undefined)
  if (stats === undefined) return // It has gone meanwhile.
  if (stats.isDirectory()) {
    await mkdir(to, { mode: stats.mode & 0o7777 })
    for (const name of orderOf(await readdir(from), copying.order))
      await copyWhileWritten(join(from, name), join(to, name), copying)
  } else if (stats.isFile()) {
    try {
      await copyFile(from, to)
    } catch {
      return
    }
    await delay(copying.pauseMs)
  } else return
  await chown(to, stats.uid, stats.gid)
  await utimes(to, stats.atime, stats.mtime)
}
