import { SupervisorError } from '../../errors.ts'
import { inRun, inVolume } from '../place.ts'
import { defineTask, type Scope } from '../unit.ts'
import { bootstrapPassword } from './connection.ts'
import { runOnCluster } from './programs.ts'

/**
 * Is in a new cluster until all of it is on the disk: nothing was served from it before,
 * so a boot that finds it starts over.
 */
export const unsyncedMark = (folder: string): string => `${folder}/supervisor.unsynced`

/** The lines of the lock file of a server. Postgres's user may put anything in its place. */
export const readLockFile = ({ system }: Scope<never>, folder: string): readonly string[] | undefined =>
  system.files.readForeign(`${folder}/postmaster.pid`, 4096)?.toString('latin1').split('\n')

const lockedPid = (scope: Scope<never>, folder: string): number => {
  try {
    return Number(readLockFile(scope, folder)?.[0])
  } catch {
    return 0 // What is no file is no lock of Postgres's either.
  }
}

/**
 * Ends a server that a killed supervisor left behind, and removes the lock file of one that is gone:
 * the volume's lock says that nobody else uses it.
 */
const clearStaleLock = async (scope: Scope<never>, folder: string, signal: AbortSignal): Promise<void> => {
  const { place, system } = scope
  const { files, isProcessIn, signalProcess, clock, log } = system
  const pid = lockedPid(scope, folder)
  if (pid > 0 && isProcessIn(folder, pid)) {
    log.say('warn', `Postgres ${pid} of an earlier supervisor still runs: it is stopped first`)
    signalProcess(pid, 'SIGINT')
    while (isProcessIn(folder, pid)) await clock.delay(50, signal)
  }
  files.remove(`${folder}/postmaster.pid`)
  // Where /dev/shm outlives the container, a pid in the lock of the socket may be anybody's by now.
  for (const name of ['.s.PGSQL.5432', '.s.PGSQL.5432.lock'])
    files.remove(`${inRun(place.paths).postgresSocket}/${name}`)
}

const initdb = async (scope: Scope<never>, folder: string, signal: AbortSignal): Promise<void> => {
  const {
    system,
    place: { paths },
  } = scope
  system.log.say('info', 'making a Postgres cluster with initdb')
  const password = `${inRun(paths).etc}/bootstrap`
  system.files.writeWhole(password, bootstrapPassword, 0o644)
  await runOnCluster(
    scope,
    'cluster',
    folder,
    [
      `${paths.postgresBin}/initdb`,
      '--pgdata',
      folder,
      '--username=postgres',
      `--pwfile=${password}`,
      '--auth=scram-sha-256',
      '--data-checksums',
      '--encoding=UTF8',
      '--locale=C.UTF-8',
      '--locale-provider=icu',
      '--icu-locale=und',
      '--no-sync',
    ],
    signal,
  )
}

const create = async (scope: Scope<never>, folder: string, signal: AbortSignal): Promise<void> => {
  const {
    system,
    place: { paths, identities },
  } = scope
  const { files, setOwner } = system
  const template = `${paths.share}/cluster.tar.zst`
  const temporary = `${folder}.new`
  files.remove(temporary)
  files.makeFolder(temporary, 0o700)
  setOwner(temporary, identities.postgres, 0o700)
  if (files.isThere(template)) {
    await runOnCluster(
      scope,
      'cluster',
      temporary,
      ['tar', '--extract', '--zstd', '--file', template, '--directory', temporary, '--no-same-owner'],
      signal,
    )
  } else {
    await initdb(scope, temporary, signal)
  }
  files.writeWhole(
    unsyncedMark(temporary),
    'This cluster is new and may not be on the disk yet. Until this file is gone, nothing was ' +
      'stored in it.\n',
    0o644,
  )
  files.renameWhole(temporary, folder)
}

const readVersion = ({ system }: Scope<never>, folder: string): string | undefined => {
  try {
    return system.files.readForeign(`${folder}/PG_VERSION`, 1024)?.toString('latin1').trim()
  } catch (cause) {
    throw new SupervisorError(
      'CLUSTER_DAMAGED',
      `cannot read ${folder}/PG_VERSION: ${(cause as Error).message}`,
      { cause },
    )
  }
}

/**
 * The major version of the data, or `undefined` where there is none.
 * Refuses what is no data of this Postgres.
 */
const requireOwnMajor = (scope: Scope<never>, folder: string): string | undefined => {
  const {
    system: { files },
    place: { paths },
  } = scope
  const version = readVersion(scope, folder)
  const major = /(\d+)\/bin$/.exec(paths.postgresBin ?? '')?.[1]
  if (version !== undefined && major !== undefined && version !== major) {
    throw new SupervisorError(
      'CLUSTER_OTHER_MAJOR',
      `cannot start Postgres ${major} on ${folder}: its data is of Postgres ${version}`,
    )
  }
  if (version === undefined && files.isThere(folder) && files.listFolder(folder).length > 0) {
    throw new SupervisorError(
      'CLUSTER_DAMAGED',
      `cannot use ${folder}: it is not empty, but has no PG_VERSION`,
    )
  }
  return version
}

/**
 * The data directory of the embedded Postgres: made whole or not at all,
 * never touched when it belongs to something else.
 */
export const cluster = defineTask({
  name: 'cluster',
  needs: ['volume', 'secrets'],
  description: "makes the embedded Postgres's data directory",
  skip: ({ database }) => (database.kind === 'external' ? 'the database is external' : undefined),
  run: async (scope, signal) => {
    const {
      system: { files, setOwner },
      place: { paths, identities },
    } = scope
    const { cluster: folder } = inVolume(paths)
    if (files.isThere(unsyncedMark(folder))) files.remove(folder)
    const isFresh = requireOwnMajor(scope, folder) === undefined
    if (isFresh) {
      files.remove(folder)
      await create(scope, folder, signal)
    }
    setOwner(folder, identities.postgres, 0o700)
    await clearStaleLock(scope, folder, signal)
    return { isFresh }
  },
})
