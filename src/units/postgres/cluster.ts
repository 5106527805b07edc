import type { Command, TaskUnit } from '../../core/unit.ts'
import { inWords } from '../../core/outcome.ts'
import type { SettingName } from '../../settings/table.ts'
import { fitPostgres } from './sizing.ts'
import { SupervisorError } from '../../errors.ts'
import type { Files } from '../../system/files.ts'
import { appRole, bootstrapPassword, type Context, inRun, inVolume } from '../place.ts'

/** The environment of a Postgres program: nothing of the container's, which may hold secrets. */
export const postgresEnvironment = ({ paths }: Context): Record<string, string> => ({
  PATH: `${paths.postgresBin}:/usr/bin:/bin`,
  LANG: 'C.UTF-8',
  LC_ALL: 'C.UTF-8',
  TZ: 'UTC',
})

const settingsFile = (context: Context): string => {
  const run = inRun(context.paths)
  const given = (name: SettingName, parameter: string, unit = ''): Record<string, string> => {
    const { value } = context.settings[name]
    return value === undefined ? {} : { [parameter]: value + unit }
  }
  const parameters: Record<string, string> = {
    listen_addresses: '',
    unix_socket_directories: run.postgresSocket,
    hba_file: `${run.etc}/pg_hba.conf`,
    ident_file: `${run.etc}/pg_ident.conf`,
    password_encryption: 'scram-sha-256',
    log_line_prefix: '[%p] ',
    log_timezone: 'UTC',
    timezone: 'UTC',
    max_wal_size: '1GB',
    jit: 'off', // The image leaves LLVM out.
    ...fitPostgres(context.machine),
    ...given('EMBEDDED_POSTGRES_MAX_CONNECTIONS', 'max_connections'),
    ...given('EMBEDDED_POSTGRES_SHARED_BUFFERS', 'shared_buffers', 'MB'),
    ...given('EMBEDDED_POSTGRES_WORK_MEM', 'work_mem', 'MB'),
    ...given('EMBEDDED_POSTGRES_LOG_SLOW', 'log_min_duration_statement'),
  }
  return Object.entries(parameters)
    .map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`)
    .join('')
}

/**
 * Who may connect. Where the services have users of their own, the kernel tells Postgres who calls (peer): the app's user is the
 * app's role and nothing else. A container with a single user has nobody to tell apart; there the superuser needs its password,
 * which Mathesar's own users cannot read, and the socket's folder keeps everybody else out.
 */
const accessFiles = ({ identities: { supervisor, postgres, mathesar } }: Context) => {
  const separate = postgres !== undefined && mathesar !== undefined
  return {
    'pg_hba.conf': [
      separate ? 'local all postgres peer map=superuser' : 'local all postgres scram-sha-256',
      separate ? `local all ${appRole} peer map=app` : `local all ${appRole} trust`,
      'local all all scram-sha-256',
    ],
    'pg_ident.conf': separate
      ? [...new Set([supervisor.name, postgres.name])]
          .map((name) => `superuser ${name} postgres`)
          .concat([...new Set([supervisor.name, mathesar.name])].map((name) => `app ${name} ${appRole}`))
      : [],
  }
}

/** The lines of the lock file of a server. Postgres's user may put anything in its place. */
export const readLockFile = (files: Files, folder: string): readonly string[] | undefined =>
  files.readForeign(`${folder}/postmaster.pid`, 4096)?.toString('latin1').split('\n')

/** Ends a server that a killed supervisor left behind, and removes the lock file of one that is gone: the volume's lock says nobody else uses it. */
const clearStaleLock = async (context: Context, folder: string, signal: AbortSignal): Promise<void> => {
  const { files, processIn, kill, delay, log } = context
  const lock = `${folder}/postmaster.pid`
  let pid = 0
  try {
    pid = Number(readLockFile(files, folder)?.[0])
  } catch {
    /* What is no file is no lock of Postgres's either. */
  }
  if (pid > 0 && processIn(folder, pid)) {
    log('warn', `Postgres ${pid} of an earlier supervisor still runs: it is stopped first`)
    kill(pid, 'SIGINT')
    while (processIn(folder, pid)) await delay(50, signal)
  }
  files.remove(lock)
}

/** Lies in a new cluster until all of it is on the disk: nothing was served from it before, so a boot that finds it begins anew. */
export const unsyncedMark = (folder: string): string => `${folder}/supervisor.unsynced`

/** Runs a program on the cluster, as its user. */
export const runOnCluster = async (
  context: Context,
  unit: string,
  folder: string,
  argv: Command['argv'],
  signal: AbortSignal,
): Promise<void> => {
  const { outcome, lines } = await context.runProgram(
    unit,
    { argv, env: postgresEnvironment(context), user: context.identities.postgres, cwd: folder },
    { signal },
  )
  if (outcome.code === 0) return
  if (lines.some((line) => line.includes('No space left')))
    throw new SupervisorError('VOLUME_FULL', `cannot make the cluster in ${folder}: no space left`)
  throw new SupervisorError(
    'CLUSTER_DAMAGED',
    `cannot make the cluster in ${folder}: ${argv[0]} ${inWords(outcome)}: ${lines.at(-1) ?? 'it said nothing'}`,
  )
}

const create = async (context: Context, folder: string, signal: AbortSignal): Promise<void> => {
  const { paths, files, give, identities, log } = context
  const template = `${paths.share}/cluster.tar.zst`
  const temporary = `${folder}.new`
  files.remove(temporary)
  files.makeFolder(temporary, 0o700)
  give(temporary, identities.postgres, 0o700)
  if (files.isThere(template)) {
    await runOnCluster(
      context,
      'cluster',
      temporary,
      ['tar', '--extract', '--zstd', '--file', template, '--directory', temporary, '--no-same-owner'],
      signal,
    )
  } else {
    log('info', 'making a Postgres cluster with initdb')
    const password = `${inRun(paths).etc}/bootstrap`
    files.writeWhole(password, bootstrapPassword, 0o644)
    await runOnCluster(
      context,
      'cluster',
      temporary,
      [
        `${paths.postgresBin}/initdb`,
        '--pgdata',
        temporary,
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
  files.writeWhole(
    unsyncedMark(temporary),
    'This cluster is new and may not be on the disk yet. Until this file is gone, nothing was stored in it.\n',
    0o644,
  )
  files.renameWhole(temporary, folder)
}

/** The major version that the data is of; `undefined` where there is no data. */
const readVersion = (files: Files, folder: string): string | undefined => {
  try {
    return files.readForeign(`${folder}/PG_VERSION`, 1024)?.toString('latin1').trim()
  } catch (cause) {
    throw new SupervisorError(
      'CLUSTER_DAMAGED',
      `cannot read ${folder}/PG_VERSION: ${(cause as Error).message}`,
      { cause },
    )
  }
}

/** The data directory of the embedded Postgres: made whole or not at all, never touched when it belongs to something else. */
export const cluster: TaskUnit<Context> = {
  name: 'cluster',
  kind: 'task',
  needs: ['secrets'],
  does: "makes the embedded Postgres's data directory and its configuration",
  skip: ({ database }) => (database.kind === 'external' ? 'the database is external' : undefined),
  run: async (context, signal) => {
    const { paths, files, give, identities } = context
    const { cluster: folder } = inVolume(paths)
    if (files.isThere(unsyncedMark(folder)) && !context.made.ownsCluster) files.remove(folder)
    const version = readVersion(files, folder)
    const major = /(\d+)\/bin$/.exec(paths.postgresBin!)?.[1]
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
    if (version === undefined) {
      files.remove(folder)
      await create(context, folder, signal)
      context.made.freshCluster = true
    }
    give(folder, identities.postgres, 0o700)
    if (!context.made.ownsCluster) await clearStaleLock(context, folder, signal)
    context.made.ownsCluster = true
    const { etc } = inRun(paths)
    files.writeWhole(`${etc}/postgresql.conf`, settingsFile(context), 0o644)
    for (const [name, lines] of Object.entries(accessFiles(context)))
      files.writeWhole(`${etc}/${name}`, lines.map((line) => `${line}\n`).join(''), 0o644)
  },
}
