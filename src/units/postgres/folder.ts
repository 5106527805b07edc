import { lastOf } from '../../core/outcome.ts'
import { SupervisorError } from '../../errors.ts'
import { mountOf } from '../mounts.ts'
import type { Scope } from '../unit.ts'
import { asPostgres } from './programs.ts'

/** Folders of a cluster that are empty most of the time: what copies files alone leaves them out. */
export const oftenEmpty = [
  'pg_commit_ts',
  'pg_dynshmem',
  'pg_logical/mappings',
  'pg_logical/snapshots',
  'pg_notify',
  'pg_replslot',
  'pg_serial',
  'pg_snapshots',
  'pg_stat',
  'pg_stat_tmp',
  'pg_subtrans',
  'pg_tblspc',
  'pg_twophase',
]

/**
 * Creates the empty folders again that a backup left out: Postgres does not start without them. Its user does
 * it, who may have put links in their places.
 */
export const makeMissingFolders = async (scope: Scope<never>, folder: string): Promise<void> => {
  const { system, place } = scope
  const missing = oftenEmpty.filter((name) => !system.files.isThere(`${folder}/${name}`))
  if (missing.length === 0 || !system.files.isThere(`${folder}/global/pg_control`)) return
  const paths = missing.map((name) => `${folder}/${name}`)
  const command = asPostgres(place, ['mkdir', '--mode=700', '--parents', ...paths])
  const ended = await system.runProgram('cluster', command)
  if (ended.outcome.code !== 0)
    throw new SupervisorError(
      'CLUSTER_UNUSABLE',
      `cannot make the empty folders of ${folder} that are missing: ${lastOf(ended.lines)}`,
    )
  system.log.say(
    'warn',
    `empty folders of Postgres were missing and are created again: ${missing.join(', ')}`,
  )
}

/** Asks as Postgres's user: there are file systems on which whoever asks is the owner. */
const isItsOwn = async ({ system, place }: Scope<never>, folder: string): Promise<boolean> => {
  const command = asPostgres(place, ['test', '-O', folder])
  return (await system.runProgram('cluster', command)).outcome.code === 0
}

/**
 * Gives Postgres its folder, and refuses a file system on which that has no effect:
 * Postgres would not start.
 */
export const takeFolder = async (scope: Scope<never>, folder: string): Promise<void> => {
  const { system, place } = scope
  const { supervisor, postgres = supervisor } = place.identities
  system.setOwner(folder, place.identities.postgres, 0o700)
  const { uid, mode } = system.files.statOf(folder)!
  const isPrivate = (mode & 0o077) === 0 || (mode & 0o777) === 0o750
  if (isPrivate && (uid === postgres.uid || (await isItsOwn(scope, folder)))) return
  const { fileSystem } = mountOf(system.readMounts(), folder)
  const what = isPrivate
    ? `owners: the folder is user ${uid}'s, not ${postgres.uid}'s`
    : `modes: the folder has ${(mode & 0o777).toString(8).padStart(4, '0')}, not 0700`
  throw new SupervisorError(
    'VOLUME_NOT_WRITABLE',
    `cannot use ${folder}: its file system (${fileSystem}) does not keep ${what}`,
    {
      hint:
        'Postgres needs a file system of Linux (ext4, xfs, btrfs, zfs): use a named volume, ' +
        `\`-v mathesar:${place.paths.data}\`.`,
    },
  )
}

/** Takes over a cluster that is there. */
export const takeOver = async (scope: Scope<never>, folder: string): Promise<void> => {
  await takeFolder(scope, folder)
  await makeMissingFolders(scope, folder)
}
