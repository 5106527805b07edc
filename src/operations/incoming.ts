import { MiB } from '../core/amounts.ts'
import { leastBytes } from '../core/space.ts'
import { type ErrorCode, SupervisorError } from '../errors.ts'
import { readManifest } from '../units/manifest.ts'
import { inVolume } from '../units/place.ts'
import {
  beginSwap,
  finishSwap,
  folderOf,
  forget,
  isWaiting,
  type Journal,
  namedIn,
  readJournal,
  replaced,
  type Replaced,
  type SwapKind,
  tidy,
  UnsureSwap,
  waitingHint,
  waitingInWords,
} from '../units/swap.ts'
import type { Where } from '../units/unit.ts'
import { requireFreeBytes } from '../units/space.ts'
import { runToEnd, tool } from './programs.ts'
import type { OperationScope } from './scope.ts'

/** How a state comes into the volume: prepared beside what is there, then put in its place as a whole. */

/** Whether an installation is there. */
export const isUsed = (scope: OperationScope): boolean => {
  const { cluster } = inVolume(scope.place.paths)
  return scope.system.files.isThere(`${cluster}/PG_VERSION`) || readManifest(scope).cluster !== undefined
}

/** Refuses a volume in which nothing may take the place of what is there. */
export const requireReplaceable = (scope: OperationScope, mayReplace: boolean): void => {
  const { system, place } = scope
  if (!mayReplace && isUsed(scope))
    throw new SupervisorError(
      'RESTORE_REFUSED',
      `cannot restore into ${place.paths.data}: it holds an installation`,
    )
  const mounts = system.readMounts()
  const mounted = replaced.find((name) => mounts.has(`${place.paths.data}/${name}`))
  if (mounted !== undefined)
    throw new SupervisorError(
      'RESTORE_REFUSED',
      `cannot restore into ${place.paths.data}: ${mounted} in it is a mount, which nothing can replace`,
      { hint: `Mount one volume at ${place.paths.data}, and none below. Nothing was changed.` },
    )
}

/** What tables take beside what the databases say of themselves: WAL, and room to start. */
const roomBytes = 64 * MiB

const requireRoom = (where: Where, bytes: number): void => {
  const { data } = where.place.paths
  requireFreeBytes(where, data, bytes, {
    what: `restore into ${data}`,
    hint: 'Free some space on that file system, and try again. Nothing was changed.',
  })
}

/** Removes what operations left that were cut off. The lock of operations must be ours. */
export const tidyLeft = (scope: Where): void => {
  tidy(scope, namedIn(readJournal(scope)))
}

/**
 * Removes what cut-off operations left, and refuses a volume that has no room then for a state of that many
 * bytes.
 */
export const makeRoom = (scope: Where, stateBytes: number): void => {
  tidyLeft(scope)
  requireRoom(scope, stateBytes + roomBytes)
}

/** Ends what comes in before Postgres, which may serve from the same volume, has no space for its log. */
export const requireSpaceLeft = (scope: Where): void => requireRoom(scope, leastBytes)

/** Refuses what is of no use on an installation that the next start will replace. */
export const requireNoneWaiting = (scope: Where, what: string, code: ErrorCode): void => {
  const journal = readJournal(scope)
  if (!isWaiting(journal)) return
  throw new SupervisorError(code, `cannot ${what}: ${waitingInWords(journal)}`, {
    hint: `${waitingHint} Nothing was changed.`,
  })
}

/** Each user passes through to the files that are its own. */
export const makeRestoreFolder = ({ system, place }: OperationScope): void => {
  const { restore: folder } = inVolume(place.paths)
  system.files.makeFolder(folder, 0o711)
  system.setOwner(folder, undefined, 0o711)
}

const newName = ({ system }: OperationScope): string => `state-${system.randomText(8)}`

/** Everything is on the disk before the journal says that it is in force. */
export const syncFolder = (scope: OperationScope, folder: string): Promise<void> =>
  runToEnd(scope, {
    what: `write ${folder} to the disk`,
    command: tool(['sync', '--file-system', folder]),
    code: 'VOLUME_NOT_WRITABLE',
  })

/** How much may lie in memory, for which the sync at the end would have to wait. */
const flushEveryBytes = 128 * MiB

/** Sends a folder to the disk while it is filled. */
export const createFlusher = (scope: OperationScope, folder: string) => {
  let [addedBytes, isAtWork] = [0, false]
  const failures: unknown[] = []
  let work = Promise.resolve()
  const flush = (): void => {
    if (isAtWork) return
    addedBytes = 0
    isAtWork = true
    work = syncFolder(scope, folder)
      .catch((error: unknown) => void failures.push(error))
      .finally(() => (isAtWork = false))
  }
  return {
    add: (bytes: number): void => {
      addedBytes += bytes
      if (addedBytes >= flushEveryBytes) flush()
    },
    flush,
    /** Throws what went wrong: of a write that failed the kernel tells once, not again at the end. */
    end: async (): Promise<void> => {
      await work
      if (failures.length > 0) throw failures[0]
    },
  }
}

/** Puts a state that is on the disk in force. Returns where the one before is kept. */
export const swapIn = (
  scope: OperationScope,
  { kind, incoming, kept }: Pick<Journal, 'kind' | 'incoming' | 'kept'>,
  isAlone: boolean,
): string | undefined => {
  const outgoing = newName(scope)
  const at = new Date(scope.system.clock.now()).toISOString()
  beginSwap(scope, { kind, incoming, outgoing, kept, at })
  if (!isAlone) return folderOf(scope, outgoing)
  finishSwap(scope)
  tidy(scope, [outgoing])
  if (readJournal(scope)?.moves?.some(({ isLeaving }) => isLeaving)) return folderOf(scope, outgoing)
  forget(scope)
  return undefined
}

/**
 * Has a state prepared in a folder of the volume, and puts it in force once it is on the disk. `prepare`
 * returns what stays in place although the new state has none. Until all is prepared, nothing is touched.
 */
export const bringIn = async (
  scope: OperationScope,
  isAlone: boolean,
  prepare: (folder: string) => Promise<readonly Replaced[]>,
  kind: SwapKind = 'restore',
): Promise<string | undefined> => {
  tidyLeft(scope)
  const incoming = newName(scope)
  const folder = folderOf(scope, incoming)
  makeRestoreFolder(scope)
  try {
    const kept = await prepare(folder)
    await syncFolder(scope, folder)
    return swapIn(scope, { kind, incoming, kept }, isAlone)
  } catch (error) {
    const mayBeInForce = error instanceof UnsureSwap || readJournal(scope)?.incoming === incoming
    if (!mayBeInForce) scope.system.files.remove(folder)
    throw error
  }
}
