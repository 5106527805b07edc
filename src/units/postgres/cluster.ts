import { isTemporaryName } from '../../core/temporary.ts'
import type { Command } from '../../core/unit.ts'
import { SupervisorError } from '../../errors.ts'
import { type Manifest, readManifest, startAnewHint } from '../manifest.ts'
import { requireNotMoved } from '../moved.ts'
import { inRun, inVolume } from '../place.ts'
import { isForbidden, refusalOf } from '../refusal.ts'
import { wayBackHint } from './way-back.ts'
import { defineTask, type Scope } from '../unit.ts'
import { bootstrapPassword } from './connection.ts'
import { readControlFile } from './control-file.ts'
import { takeFolder, takeOver } from './folder.ts'
import { majorOf, runOnCluster } from './programs.ts'
import { requireNoCheckpointBetween } from './proof.ts'

/**
 * Is in the folder from before a cluster is made there until all of it is on the disk: nothing was served
 * from it before, so a boot that finds it starts over.
 */
export const unsyncedMark = (folder: string): string => `${folder}/supervisor.unsynced`

/** The lines of the lock file of a server. Postgres's user may put anything in its place. */
export const readLockFile = ({ system }: Scope<never>, folder: string): readonly string[] | undefined =>
  system.files.readForeign(`${folder}/postmaster.pid`, 4096)?.toString('latin1').split('\n')

const lockedPid = (scope: Scope<never>, folder: string): number => {
  try {
    return Number(readLockFile(scope, folder)?.[0])
  } catch {
    return 0 // What is not a file is not a lock of Postgres's either.
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

/** What a new file system has in it, or a write that was cut off leaves. */
const isNothing = (name: string): boolean => name === 'lost+found' || isTemporaryName(name)

/** Fills a folder with a cluster. */
const fill = async (scope: Scope<never>, folder: string, signal: AbortSignal): Promise<void> => {
  const { system, place } = scope
  const template = `${place.paths.share}/cluster.tar.zst`
  const run = (...argv: Command['argv']): Promise<void> =>
    runOnCluster(scope, 'cluster', folder, argv, signal)
  if (system.files.isThere(template))
    return await run(
      'tar',
      '--extract',
      '--zstd',
      '--file',
      template,
      '--directory',
      folder,
      '--no-same-owner',
    )
  system.log.say('info', 'making a Postgres cluster with initdb')
  const password = `${inRun(place.paths).etc}/bootstrap`
  system.files.writeWhole(password, bootstrapPassword, 0o644)
  await run(
    `${place.paths.postgresBin}/initdb`,
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
  )
}

/**
 * Makes a cluster in a folder that is never replaced: it may be a mount point, or a link to another disk.
 * The mark is there first and says that all of it can go.
 */
const create = async (scope: Scope<never>, folder: string, signal: AbortSignal): Promise<void> => {
  const { files, setOwner } = scope.system
  const { postgres } = scope.place.identities
  const made = `${folder}/new`
  files.makeFolder(folder, 0o700)
  await takeFolder(scope, folder)
  files.writeWhole(
    unsyncedMark(folder),
    'This cluster is new and may not be on the disk yet. Until this file is gone, nothing was ' +
      'stored in it.\n',
    0o644,
  )
  for (const name of files.listFolder(folder))
    if (name !== 'lost+found' && `${folder}/${name}` !== unsyncedMark(folder))
      files.remove(`${folder}/${name}`)
  files.makeFolder(made, 0o700)
  setOwner(made, postgres, 0o700)
  await fill(scope, made, signal)
  files.moveContent(made, folder)
}

const readVersion = (scope: Scope<never>, folder: string): string | undefined => {
  try {
    return scope.system.files.readForeign(`${folder}/PG_VERSION`, 1024)?.toString('latin1').trim()
  } catch (cause) {
    if (isForbidden(cause)) throw refusalOf(scope, folder, cause)
    throw new SupervisorError(
      'CLUSTER_DAMAGED',
      `cannot read ${folder}/PG_VERSION: ${(cause as Error).message}`,
      { cause, hint: wayBackHint(scope) },
    )
  }
}

/**
 * The major version of the data, or `undefined` where there is none.
 * Refuses what is not data of this Postgres.
 */
const requireOwnMajor = (scope: Scope<never>, folder: string): string | undefined => {
  const {
    system: { files },
    place,
  } = scope
  const version = readVersion(scope, folder)
  const major = majorOf(place)
  if (version !== undefined && major !== undefined && version !== String(major)) {
    throw new SupervisorError(
      'CLUSTER_OTHER_MAJOR',
      `cannot start Postgres ${major} on ${folder}: its data is of Postgres ${version}`,
    )
  }
  const isEmpty = (): boolean => files.listFolder(folder).every(isNothing)
  if (version === undefined && files.isThere(folder) && !isEmpty()) {
    throw new SupervisorError(
      'CLUSTER_DAMAGED',
      `cannot use ${folder}: it is not empty, but has no PG_VERSION`,
      { hint: wayBackHint(scope) },
    )
  }
  return version
}

/** Refuses to make a cluster in place of one that has served, and one that is not the one that did. */
const requireKnown = (scope: Scope<never>, folder: string, isFresh: boolean, { cluster }: Manifest): void => {
  if (cluster === undefined) return
  const [wanted, found] = [cluster.systemIdentifier, isFresh ? undefined : readControlFile(scope)?.identifier]
  const isOther = wanted !== undefined && found !== undefined && wanted !== found
  if (!isFresh && !isOther) return
  const how = isFresh
    ? `there is none in ${folder}`
    : `the one in ${folder} is another one (its system identifier is ${found}, not ${wanted})`
  throw new SupervisorError(
    'CLUSTER_DAMAGED',
    `cannot find the cluster that has served from this volume: ${how}`,
    {
      hint:
        `Mount or restore what was in ${folder}, and where it is a link, what it leads to. ` +
        startAnewHint(scope.place),
    },
  )
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
    requireNotMoved(scope) // A change may bring the embedded Postgres back, long after the boot.
    const { cluster: folder } = inVolume(scope.place.paths)
    const isUnfinished = scope.system.files.isThere(unsyncedMark(folder))
    const isFresh = isUnfinished || requireOwnMajor(scope, folder) === undefined
    requireKnown(scope, folder, isFresh, readManifest(scope))
    requireNoCheckpointBetween(scope)
    const wasShutDown = isFresh ? undefined : readControlFile(scope)?.isShutDown
    try {
      await (isFresh ? create(scope, folder, signal) : takeOver(scope, folder))
    } catch (cause) {
      throw refusalOf(scope, folder, cause)
    }
    await clearStaleLock(scope, folder, signal)
    return { isFresh, wasShutDown }
  },
})
