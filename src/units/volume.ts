import { isTemporaryName } from '../core/temporary.ts'
import type { User } from '../core/unit.ts'
import { SupervisorError } from '../errors.ts'
import { requireNoForeignCluster } from './foreign.ts'
import { type Holder, inUseBy, settleHold, takeHold } from './holder.ts'
import { putAside, removeLeftovers, requireRoom } from './leftovers.ts'
import { mountWarnings, whyLost } from './mounts.ts'
import { requireNotMoved } from './moved.ts'
import { requireOwnData, restoreOwners } from './owners.ts'
import { inRun, inVolume, runHint } from './place.ts'
import { refusalOf } from './refusal.ts'
import type { Results } from './results.ts'
import { defineTask, type Scope } from './unit.ts'

type Folder = readonly [path: string, owner: User | undefined, mode: number]

/** The group of Mathesar, for a folder of the supervisor's that Mathesar may read. */
const sharedOwner = ({ identities: { supervisor, mathesar } }: Scope['place']): User | undefined =>
  mathesar && { ...supervisor, gid: mathesar.gid }

const makeFolders = ({ system }: Scope<never>, folders: readonly Folder[]): void => {
  for (const [path, owner, mode] of folders) {
    system.files.makeFolder(path, mode)
    system.setOwner(path, owner, mode)
  }
}

/** A folder of the host that belongs to somebody else stays theirs: they edit the files in it. */
const makeConfigFolder = ({ system, place }: Scope<never>, path: string): void => {
  const { files, setOwner } = system
  files.makeFolder(path, 0o700)
  if (![0, place.identities.supervisor.uid].includes(files.statOf(path)?.uid ?? 0)) return
  try {
    setOwner(path, sharedOwner(place), 0o750)
  } catch {
    /* Mounted read-only, such as a ConfigMap: it serves as it is. */
  }
}

/**
 * Removes what a write that was cut off left behind.
 * Nobody writes while the volume's lock is ours and we do not.
 */
const removeUnfinished = ({ files }: Scope['system'], folders: readonly string[]): void => {
  for (const folder of folders) {
    for (const name of files.listFolder(folder)) if (isTemporaryName(name)) files.remove(`${folder}/${name}`)
  }
}

/**
 * Postgres and Mathesar pass through the folder, and none of the two may put anything in place of what is in
 * it. Apart from that a folder of somebody else stays as it is.
 */
const openDataFolder = ({ system, place: { paths } }: Scope<never>): void => {
  const { uid, mode } = system.files.statOf(paths.data)!
  system.setOwner(paths.data, undefined, uid === 0 ? 0o755 : (mode | 0o011) & ~0o002)
}

const warnOfUploads = ({ system, inForce }: Scope<never>): void => {
  if (inForce.settings.FILE_STORAGE_DICT !== undefined) return
  system.log.say(
    'warn',
    'uploaded files are gone with this container, and no other replica has them: FILE_STORAGE_DICT names a ' +
      'storage that lasts',
  )
}

/** Says which mounts are not used, and what will be lost. */
const warnOfMounts = (scope: Scope<never>): void => {
  const { system, place, inForce } = scope
  if (inForce.database.kind === 'external' && inForce.settings.SECRET_KEY !== undefined) {
    const { media, config } = inVolume(place.paths)
    const isLost = whyLost(system.readMounts(), media) !== undefined
    if (isLost && !system.files.isThere(`${config}/file_storage.yml`)) warnOfUploads(scope)
    return
  }
  for (const warning of mountWarnings(system.readMounts(), place.paths)) system.log.say('warn', warning)
}

const prepareVolume = async (scope: Scope<never>): Promise<Holder> => {
  const { system, place, inForce } = scope
  const {
    paths,
    identities: { postgres, mathesar, door },
  } = place
  const data = inVolume(paths)
  requireNoForeignCluster(scope)
  system.files.makeFolder(paths.data, 0o755)
  if (postgres && inForce.database.kind === 'embedded') requireOwnData(scope, postgres)
  if (!system.lock(data.lock)) throw inUseBy(scope)
  if (inForce.database.kind === 'embedded') requireNotMoved(scope)
  if (postgres) openDataFolder(scope)
  restoreOwners(scope)
  makeConfigFolder(scope, data.config)
  makeFolders(scope, [
    [data.secrets, undefined, 0o700],
    [data.history, undefined, 0o700],
    [data.media, mathesar, 0o750],
  ])
  removeUnfinished(system, [data.config, data.secrets, data.history])
  await requireRoom(scope, data.secrets) // A full or read-only volume is named now.
  for (const folder of [data.temporary, data.buffer]) await putAside(scope, folder)
  system.files.remove(data.past)
  makeFolders(scope, [
    [data.temporary, mathesar, 0o700],
    [data.buffer, door, 0o700],
  ])
  return takeHold(scope)
}

const makeRunFolders = (scope: Scope<never>, isEphemeral: boolean): void => {
  const {
    paths,
    identities: { supervisor, postgres, mathesar, door },
  } = scope.place
  const run = inRun(paths)
  scope.system.files.makeFolder(paths.run, 0o755)
  if (!scope.system.lock(run.lock)) {
    throw new SupervisorError('RUN_FOLDER_IN_USE', `cannot use ${paths.run}: another supervisor uses it`)
  }
  makeFolders(scope, [
    [paths.run, undefined, 0o755],
    [run.control, undefined, 0o700],
    [run.etc, undefined, 0o755],
    [run.app, sharedOwner(scope.place), 0o750],
    [run.door, door && { ...supervisor, gid: door.gid }, 0o750],
    [run.postgresSocket, postgres, 0o755],
    ...(isEphemeral
      ? ([
          [run.media, mathesar, 0o750],
          [run.temporary, mathesar, 0o700],
          [run.buffer, door, 0o700],
        ] as const)
      : []),
  ])
}

/**
 * Prepares the volume. Platforms with a read-only file system, or one that is gone with the container, bring
 * a database and a key of their own: nothing has to last here then.
 */
const openVolume = async (scope: Scope<never>): Promise<Holder | undefined> => {
  const {
    system,
    place: { paths },
    inForce: { database, settings },
  } = scope
  try {
    const holder = await prepareVolume(scope)
    system.log.say('debug', `volume ${paths.data} is writable and locked`)
    warnOfMounts(scope)
    return holder
  } catch (cause) {
    const mayDoWithout = database.kind === 'external' && settings.SECRET_KEY !== undefined
    if (!mayDoWithout || !['EROFS', 'EACCES', 'EPERM'].includes((cause as NodeJS.ErrnoException).code ?? ''))
      throw refusalOf(scope, paths.data, cause)
    system.log.say('debug', `${paths.data} cannot be written: the environment alone gives the settings`)
    warnOfUploads(scope)
    return undefined
  }
}

/**
 * The folders that last and those of this run, each with its owner,
 * and the lock that keeps a second container out.
 */
export const volume = defineTask({
  name: 'volume',
  needs: [],
  description: 'makes the folders, gives them to their users, locks the volume',
  run: async (scope): Promise<Results['volume']> => {
    const { paths } = scope.place
    const holder = await openVolume(scope)
    const isEphemeral = holder === undefined
    if (!isEphemeral) {
      await settleHold(scope, holder)
      removeLeftovers(scope)
    }
    try {
      makeRunFolders(scope, isEphemeral)
    } catch (cause) {
      throw refusalOf(scope, paths.run, cause, runHint(paths))
    }
    const { media, temporary, buffer } = isEphemeral ? inRun(paths) : inVolume(paths)
    return { isEphemeral, media, temporary, buffer, holder }
  },
})
