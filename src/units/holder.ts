import { minuteOf } from '../core/moment.ts'
import { SupervisorError } from '../errors.ts'
import type { Identity } from '../system/identity.ts'
import type { System } from '../system/ports.ts'
import { mountOf } from './mounts.ts'
import { inVolume } from './place.ts'
import { isMarked, markCheckpoint } from './postgres/checkpoint-mark.ts'
import { controlFileChangedMs, readControlFile } from './postgres/control-file.ts'
import type { Scope, Where } from './unit.ts'

/**
 * The theory of the holder.
 *
 * A file in the volume says which run has it, beside which lock file. It is there before anything is started,
 * and goes once all was stopped in order. So where one is found, that run did not end in order. Two things
 * can be the case.
 *
 * The lock file is another one: the files are a copy, taken while Postgres wrote, and each has what it had at
 * a moment of its own. A kill or a loss of power leaves the same lock file. A snapshot of the file system
 * keeps it, too, and is of one moment.
 *
 * The lock file is the same: that run was killed, or goes on where our lock does not reach, as some network
 * file systems have it. There it beats.
 */
export type Holder = {
  readonly run: string
  /** The container, and the kernel that it runs on; `null` where nobody can tell. */
  readonly host: string
  readonly kernel: string | null
  /** ISO 8601. */
  readonly since: string
  readonly lock: Identity
  /** What is to be found out first about a copy. */
  readonly copied: CopiedFrom | null
}

export type CopiedFrom = {
  /** The run that wrote while it was copied. */
  readonly host: string
  readonly since: string
  /**
   * Postgres wrote a checkpoint meanwhile. What changed before that is in no log that would be replayed, and
   * nobody can tell whether it was copied.
   */
  readonly isCheckpointBetween: boolean
}

/** What there is of it before there is a log. */
type Early = Pick<Scope<never>, 'place'> & {
  readonly system: Pick<System, 'files' | 'readMounts' | 'ownNames' | 'clock'>
}

export const beatEveryMs = 5000
/** Longer than a client of such a file system keeps what it has read. */
const beatsToWait = 4

const fileSystemOf = ({ system, place }: Early): string =>
  mountOf(system.readMounts(), place.paths.data).fileSystem

/** File systems that several machines may mount, and of which a lock may not reach the other ones. */
const shared = /^(nfs|cifs|smb|fuse|9p|virtiofs|ceph|gluster|lustre|gpfs|beegfs|ocfs2|afs|vboxsf|prl_fs)/

/** Whether a kernel's lock may be taken by another machine, too. */
export const isShared = (where: Early): boolean => shared.test(fileSystemOf(where))

/** Whether a file keeps its number: some shared file systems make it up. */
const keepsInodes = (fileSystem: string): boolean =>
  fileSystem !== 'unknown' && (!shared.test(fileSystem) || fileSystem.startsWith('nfs'))

/** Whether one of the two files is a copy, as far as their file system can tell. */
export const isCopyOf = (one: Identity, other: Identity, fileSystem: string): boolean => {
  const hasOtherInode = one.inode !== other.inode
  if (one.born === null || other.born === null) return hasOtherInode && keepsInodes(fileSystem)
  return one.born !== other.born && (hasOtherInode || !shared.test(fileSystem))
}

/** Whether the volume is a copy of the one that had another lock file. */
export const isVolumeCopied = (where: Early, lockBefore: Identity, lock: Identity): boolean =>
  isCopyOf(lockBefore, lock, fileSystemOf(where))

/** One that cannot be read tells nothing. */
export const readHolder = ({ system, place }: Early): Holder | undefined => {
  try {
    const text = system.files.readIfThere(inVolume(place.paths).holder)
    const value = text === undefined ? undefined : (JSON.parse(text) as Holder)
    return typeof value?.run === 'string' && typeof value.lock?.inode === 'string' ? value : undefined
  } catch {
    return undefined
  }
}

export const writeHolder = ({ system, place }: Early, holder: Holder): void =>
  void system.files.writeWhole(inVolume(place.paths).holder, `${JSON.stringify(holder, null, 2)}\n`, 0o644)

const checkpointOf = (where: Where): string | null => {
  try {
    return readControlFile(where)?.checkpoint ?? null
  } catch {
    return null
  }
}

const readKernel = ({ system }: Early): string | null =>
  system.files.readIfThere('/proc/sys/kernel/random/boot_id')?.trim() ?? null

/** What is known of a copy, where it is one that is not proved yet. */
const copiedFrom = (scope: Scope<never>, before: Holder | undefined, lock: Identity): CopiedFrom | null => {
  if (before === undefined || !scope.system.files.isThere(inVolume(scope.place.paths).cluster)) return null
  const known = before.copied
  if (!isVolumeCopied(scope, before.lock, lock)) return known
  const checkpoint = checkpointOf(scope)
  return {
    host: before.host,
    since: before.since,
    isCheckpointBetween:
      known?.isCheckpointBetween === true || (checkpoint !== null && !isMarked(scope, checkpoint)),
  }
}

/** Notes that this run has the volume, whose lock is ours. */
export const takeHold = (scope: Scope<never>): Holder => {
  const { system, place } = scope
  const lock = system.files.identityOf(inVolume(place.paths).lock)!
  const holder: Holder = {
    // Node's crypto would take 5 ms of each boot.
    run: `${system.clock.now().toString(36)}-${Math.floor(system.random() * 2 ** 32).toString(36)}`,
    host: system.ownNames()[0] ?? 'unknown',
    kernel: readKernel(scope),
    since: new Date(system.clock.now()).toISOString(),
    lock,
    copied: copiedFrom(scope, readHolder(scope), lock),
  }
  writeHolder(scope, holder)
  if (holder.copied === null) markCheckpoint(scope, checkpointOf(scope))
  return holder
}

/** What is there is whole: it is no longer to be doubted. */
export const trust = (scope: Where): void => {
  const holder = readHolder(scope)
  if (!holder?.copied) return
  markCheckpoint(scope, checkpointOf(scope))
  writeHolder(scope, { ...holder, copied: null })
}

export const holderInWords = ({ host, since }: Holder): string =>
  `container ${host} uses it, since ${minuteOf(since)} UTC`

/** Why the volume cannot be used, with who has it. */
export const inUseBy = (where: Early): SupervisorError => {
  const holder = readHolder(where)
  const who = holder === undefined ? 'another supervisor uses it' : holderInWords(holder)
  return new SupervisorError('VOLUME_IN_USE', `cannot use ${where.place.paths.data}: ${who}`)
}

const readBeat = ({ system, place }: Early): string | undefined =>
  system.files.readIfThere(inVolume(place.paths).beat)

/** Whether the kernel that gave us the lock gave the other one its own, for the same mounted file system. */
const hasOurLock = (where: Early, { kernel, lock }: Holder): boolean =>
  kernel !== null &&
  kernel === readKernel(where) &&
  lock.device === where.system.files.identityOf(where.place.paths.data)?.device

/**
 * Where the lock of the volume may have been given twice, waits for signs of the other one. Nobody waits for
 * what had the same lock: there the kernel knows.
 */
export const requireUnheld = async (where: Early): Promise<void> => {
  const holder = readHolder(where)
  if (holder === undefined || !isShared(where) || hasOurLock(where, holder)) return
  const before = readBeat(where)
  for (let beat = 0; beat < beatsToWait; beat++) {
    await where.system.clock.delay(beatEveryMs)
    if (readBeat(where) !== before) throw inUseBy(where)
  }
}

/** Who has the volume now; `undefined` where nobody does. Nothing is written. */
export const findHolder = async (scope: Where): Promise<Holder | undefined> => {
  const { system, place } = scope
  const [holder, { lock }] = [readHolder(scope), inVolume(place.paths)]
  // Else that run has ended in order, and a start of another one need not find its lock taken.
  if (holder === undefined || !system.files.isThere(lock)) return undefined
  if (!system.lock(lock, 'read')) return holder
  return await requireUnheld(scope).then(
    () => undefined,
    () => holder,
  )
}

/** Two that came at the same moment: the one that wrote last has it. */
export const settleHold = async (scope: Scope<never>, { run }: Holder): Promise<void> => {
  if (!isShared(scope)) return
  await scope.system.clock.delay(1000)
  if (readHolder(scope)?.run !== run) throw inUseBy(scope)
}

/** A sign of life, where others wait for one. Throws when another run has taken the volume. */
export const beat = (scope: Early, run: string, count: number): void => {
  const holder = readHolder(scope)
  if (holder !== undefined && holder.run !== run) throw inUseBy(scope)
  scope.system.files.writeInPlace(inVolume(scope.place.paths).beat, `${run} ${count}\n`)
}

/** The control file, as last seen. */
export type SeenControlFile = { readonly changedMs: number | undefined; readonly checkpoint: string | null }

/** Marks from where the log would be replayed, once Postgres has written a checkpoint. */
export const noteCheckpoint = (
  scope: Where,
  run: string,
  seen: SeenControlFile | undefined,
): SeenControlFile => {
  const changedMs = controlFileChangedMs(scope)
  if (seen !== undefined && changedMs === seen.changedMs) return seen
  const checkpoint = checkpointOf(scope)
  const holder = checkpoint === seen?.checkpoint ? undefined : readHolder(scope)
  if (holder?.run === run && holder.copied === null) markCheckpoint(scope, checkpoint)
  return { changedMs, checkpoint }
}

/** Everything was stopped: a copy of the volume is none that has to be doubted. */
export const endHold = (scope: Where, run: string): void => {
  const { system, place } = scope
  const holder = readHolder(scope)
  if (holder?.run !== run || holder.copied !== null) return
  const control = readControlFile(scope)
  if (control?.isShutDown === false) return
  system.files.removeWhole(inVolume(place.paths).holder)
  markCheckpoint(scope, control?.checkpoint ?? null) // Else the next start would have to.
}
