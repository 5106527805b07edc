import { isTemporaryName } from '../core/temporary.ts'
import type { User } from '../core/unit.ts'
import { SupervisorError, toSupervisorError } from '../errors.ts'
import { inRun, inVolume } from './place.ts'
import type { Results } from './results.ts'
import { defineTask, type Scope } from './unit.ts'

type Folder = readonly [path: string, owner: User | undefined, mode: number]

/** Turns what the file system refuses into words. */
const refusal = ({ place }: Scope<never>, path: string, cause: unknown): SupervisorError => {
  const error = toSupervisorError(cause)
  if (error.code === 'VOLUME_FULL')
    return new SupervisorError('VOLUME_FULL', `cannot use ${path}: no space left`, { cause })
  if (error.code !== 'INTERNAL') return error
  return new SupervisorError(
    'VOLUME_NOT_WRITABLE',
    `cannot use ${path} as user ${place.identities.supervisor.uid}: ${(cause as Error).message}`,
    { cause },
  )
}

/**
 * A volume that was made with `--user`: Postgres could not read its data as another user,
 * nor that user what root would take.
 */
const refuseForeignData = ({ system, place: { paths } }: Scope<never>, user: User): void => {
  // Root runs no Postgres: a file system that names root names whoever asks.
  const owner = system.files.ownerOf(`${inVolume(paths).cluster}/PG_VERSION`) ?? 0
  if ([0, user.uid].includes(owner)) return
  throw new SupervisorError(
    'VOLUME_NOT_WRITABLE',
    `cannot use ${paths.data} as root: its data belongs to user ${owner}, and Postgres would run as ` +
      `user ${user.uid}`,
    {
      hint: `Start with \`--user ${owner}:0\`, as it was made; nothing was changed.`,
    },
  )
}

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
  if (![0, place.identities.supervisor.uid].includes(files.ownerOf(path) ?? 0)) return
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

const prepareVolume = (scope: Scope<never>): void => {
  const { system, place, inForce } = scope
  const {
    paths,
    identities: { postgres, mathesar, door },
  } = place
  const data = inVolume(paths)
  system.files.makeFolder(paths.data, 0o755)
  if (postgres && inForce.database.kind === 'embedded') refuseForeignData(scope, postgres)
  if (!system.lock(data.lock))
    throw new SupervisorError('VOLUME_IN_USE', `cannot use ${paths.data}: another supervisor uses it`)
  if (postgres) system.setOwner(paths.data, undefined, 0o755)
  makeConfigFolder(scope, data.config)
  makeFolders(scope, [
    [data.secrets, undefined, 0o700],
    [data.history, undefined, 0o700],
    [data.media, mathesar, 0o750],
  ])
  removeUnfinished(system, [data.config, data.secrets, data.history])
  system.files.requireSpace(data.secrets, 64 * 1024) // A full or read-only volume is named now.
  for (const folder of [data.temporary, data.buffer]) system.files.remove(folder)
  makeFolders(scope, [
    [data.temporary, mathesar, 0o700],
    [data.buffer, door, 0o700],
  ])
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
const openVolume = (scope: Scope<never>): { readonly isEphemeral: boolean } => {
  const {
    system,
    place: { paths },
    inForce: { database, settings },
  } = scope
  try {
    prepareVolume(scope)
    system.log.say('debug', `volume ${paths.data} is writable and locked`)
    return { isEphemeral: false }
  } catch (cause) {
    const mayDoWithout = database.kind === 'external' && settings.SECRET_KEY !== undefined
    if (!mayDoWithout || !['EROFS', 'EACCES', 'EPERM'].includes((cause as NodeJS.ErrnoException).code ?? ''))
      throw refusal(scope, paths.data, cause)
    system.log.say('debug', `${paths.data} cannot be written: the environment alone gives the settings`)
    return { isEphemeral: true }
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
    const { isEphemeral } = openVolume(scope)
    try {
      makeRunFolders(scope, isEphemeral)
    } catch (cause) {
      throw refusal(scope, paths.run, cause)
    }
    const { media, temporary, buffer } = isEphemeral ? inRun(paths) : inVolume(paths)
    return { isEphemeral, media, temporary, buffer }
  },
})
