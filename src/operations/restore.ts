import { SupervisorError } from '../errors.ts'
import type { Lock } from '../system/ports.ts'
import { spaceInWords } from '../core/space.ts'
import { fingerprintOf } from '../units/fingerprint.ts'
import { readManifest } from '../units/manifest.ts'
import { inVolume, type Place } from '../units/place.ts'
import { readControlFile } from '../units/postgres/control-file.ts'
import {
  beginSwap,
  finishSwap,
  folderOf,
  forget,
  readJournal,
  replaced,
  tidy,
  type Volume,
} from '../units/swap.ts'
import type { Bytes } from './archive/bytes.ts'
import { type Description, type Fitness, requireFit } from './archive/description.ts'
import { openArchive } from './archive/read.ts'
import { runToEnd } from './programs.ts'
import { lockOperations, type OperationScope } from './scope.ts'
import { stage } from './stage.ts'

export type RestoreOptions = {
  /** Whether what is there may go aside. */
  readonly mayReplace: boolean
  /** Whether the volume is ours alone. Else a supervisor serves from it, and the next start finishes. */
  readonly isAlone: boolean
  readonly lock: Lock | undefined
  readonly onProgress: (read: number, total: number) => void
}

export type Restored = {
  readonly description: Description
  /** Whether it is in place; else it will be at the next start. */
  readonly isInPlace: boolean
  /** Where the state before is kept, if there was one. */
  readonly kept: string | undefined
  readonly warnings: readonly string[]
}

const volumeOf = ({ system, place }: OperationScope): Volume => ({ files: system.files, paths: place.paths })

/** What this image can serve. */
export const fitnessOf = ({ system, place }: OperationScope): Fitness => {
  const list = system.files.readIfThere(`${place.paths.share}/migrations.json`, 1024 * 1024)
  return {
    postgresMajor: /(\d+)\/bin$/.exec(place.paths.postgresBin ?? '')?.[1],
    migrations: list === undefined ? undefined : (JSON.parse(list) as string[]),
  }
}

const isUsed = (scope: OperationScope): boolean => {
  const { cluster } = inVolume(scope.place.paths)
  return scope.system.files.isThere(`${cluster}/PG_VERSION`) || readManifest(scope).cluster !== undefined
}

const requireReplaceable = (scope: OperationScope, { mayReplace }: RestoreOptions): void => {
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
const roomBytes = 64 * 1024 * 1024

const inMiB = (bytes: number): number => Math.ceil(bytes / (1024 * 1024))

const requireRoom = ({ system, place }: OperationScope, { databaseBytes }: Description): void => {
  const space = system.files.freeSpace(place.paths.data)
  if (space === undefined || space.bytes >= databaseBytes + roomBytes) return
  throw new SupervisorError(
    'VOLUME_FULL',
    `cannot restore into ${place.paths.data}: about ${inMiB(databaseBytes + roomBytes)} MiB ` +
      `are needed, and ${spaceInWords(space)}`,
    { hint: 'Free some space on that file system, and try again. Nothing was changed.' },
  )
}

/** What the next start finds instead of an empty volume, should parts of it get lost. */
const writeManifest = (scope: OperationScope, folder: string, description: Description): void => {
  const { system, place } = scope
  const { instance, keyFingerprint, supervisor, mathesar, migration, postgres, locale, collation } =
    description
  const staged: Place = { ...place, paths: { ...place.paths, data: folder } }
  const manifest = {
    ...(instance === null ? {} : { instance }),
    servedBy: { supervisor, mathesar, migration, postgres, locale, collation },
    keyFingerprint,
    restored: { from: description.at, at: new Date(system.clock.now()).toISOString() },
    cluster: {
      systemIdentifier: readControlFile({ ...scope, place: staged })?.identifier,
      startedAs: place.identities.supervisor.uid,
    },
  }
  system.files.writeWhole(`${folder}/manifest.json`, `${JSON.stringify(manifest, null, 2)}\n`, 0o644)
}

/** Whether the volume has the key of the archive, which then stays where it is. */
const hasItsKey = ({ results: { secrets } }: OperationScope, { keyFingerprint }: Description): boolean =>
  secrets.secretKey !== '' && fingerprintOf(secrets.secretKey) === keyFingerprint

/** A single user cannot set the superuser's password without one; that of the archive is not in it. */
const prepareSecrets = ({ system }: OperationScope, folder: string): void => {
  system.files.makeFolder(`${folder}/secrets`, 0o700)
  system.files.writeWhole(`${folder}/secrets/postgres_password`, system.randomText(50), 0o600)
}

const keyWarning =
  'The archive has no secret key. Start with `-e SECRET_KEY=…`, as it was: another one cannot decrypt ' +
  'what Mathesar has stored.'

const newName = ({ system }: OperationScope): string => `state-${system.randomText(8)}`

/** Everything is on the disk before the journal says that it is in force. */
const sync = (scope: OperationScope, folder: string): Promise<void> =>
  runToEnd(scope, {
    what: `write ${folder} to the disk`,
    command: { argv: ['sync', '--file-system', folder], env: { PATH: '/usr/bin:/bin' }, cwd: '/' },
    code: 'VOLUME_NOT_WRITABLE',
  })

/** Puts a state that is on the disk in force. Returns where the one before is kept. */
const swapIn = (
  scope: OperationScope,
  incoming: string,
  kept: Parameters<typeof beginSwap>[1]['kept'],
  isAlone: boolean,
): string | undefined => {
  const volume = volumeOf(scope)
  const outgoing = newName(scope)
  const at = new Date(scope.system.clock.now()).toISOString()
  beginSwap(volume, { incoming, outgoing, kept, at })
  if (!isAlone) return folderOf(volume.paths, outgoing)
  finishSwap(volume)
  tidy(volume, [outgoing])
  if (readJournal(volume)?.moves?.some(({ isLeaving }) => isLeaving)) return folderOf(volume.paths, outgoing)
  forget(volume)
  return undefined
}

/** Unpacks, proves and puts in place. Until all is proved, nothing that is there is touched. */
export const restore = async (
  scope: OperationScope,
  bytes: Bytes,
  options: RestoreOptions,
): Promise<Restored> => {
  const volume = volumeOf(scope)
  lockOperations(scope)
  requireReplaceable(scope, options)
  const archive = await openArchive(scope.system, bytes, options.lock)
  const { description } = archive
  requireFit(description, fitnessOf(scope))
  requireRoom(scope, description)
  const before = readJournal(volume)
  tidy(volume, before === undefined ? [] : [before.incoming, before.outgoing])
  const incoming = newName(scope)
  const folder = folderOf(scope.place.paths, incoming)
  makeRestoreFolder(scope)
  try {
    let read = 0
    await stage(scope, archive, folder, (more) => {
      read += more
      options.onProgress(read, description.databaseBytes)
    })
    const keepsSecrets = !description.hasSecrets && hasItsKey(scope, description)
    if (!description.hasSecrets && !keepsSecrets) prepareSecrets(scope, folder)
    writeManifest(scope, folder, description)
    await sync(scope, folder)
    const kept = swapIn(scope, incoming, keepsSecrets ? ['secrets'] : [], options.isAlone)
    const warnings = description.hasSecrets || keepsSecrets ? [] : [keyWarning]
    return { description, isInPlace: options.isAlone, kept, warnings }
  } catch (error) {
    if (readJournal(volume)?.incoming !== incoming) scope.system.files.remove(folder)
    throw error
  }
}

/** Each user passes through to the files that are its own. */
export const makeRestoreFolder = ({ system, place }: OperationScope): void => {
  const { restore: folder } = inVolume(place.paths)
  system.files.makeFolder(folder, 0o711)
  system.setOwner(folder, undefined, 0o711)
}

const isKept = ({ system, place }: OperationScope, name: string): boolean =>
  system.files.isThere(folderOf(place.paths, name))

/** Brings back the state from before the last restore; what is there now is kept in its stead. */
export const undoRestore = (scope: OperationScope, isAlone: boolean): string | undefined => {
  const volume = volumeOf(scope)
  lockOperations(scope)
  const last = readJournal(volume)
  if (last?.moves === undefined || !last.isDone || !isKept(scope, last.outgoing))
    throw new SupervisorError('RESTORE_REFUSED', 'cannot undo a restore: no state from before one is kept', {
      hint: 'Only `supervisor restore --replace` leaves one, until `supervisor restore --forget`.',
    })
  const { moves } = last
  const kept = replaced.filter((name) => !moves.some((each) => each.name === name))
  return swapIn(scope, last.outgoing, kept, isAlone)
}

/** Removes the state from before the last restore. */
export const forgetRestore = (scope: OperationScope): boolean => {
  lockOperations(scope)
  const volume = volumeOf(scope)
  if (readJournal(volume)?.isDone !== true) return false
  forget(volume)
  return true
}
