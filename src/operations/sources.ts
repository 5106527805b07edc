import { configFiles, fileLimitBytes } from '../settings/configuration.ts'
import { editConfig } from '../settings/env-file.ts'
import { settingNames, settingOf } from '../settings/table.ts'
import { yamlFiles } from '../settings/yaml-files.ts'
import { type Identities, inVolume, type Paths } from '../units/place.ts'
import { asSuperuser } from '../units/postgres/connection.ts'
import { asSuperuserOf, libpqEnvironment } from '../units/postgres/libpq.ts'
import { asPostgres } from '../units/postgres/programs.ts'
import type { Bytes } from './archive/bytes.ts'
import type { Entry } from './archive/tar.ts'
import { outputOf, tool } from './programs.ts'
import type { OperationScope } from './scope.ts'

/** What is in an archive, each as it is read. */

const slotName = 'supervisor_backup'

type HeldWal = {
  /** Where the log begins that is kept. */
  readonly lsn: string
  readonly letGo: () => Promise<void>
}

/**
 * Keeps the server from removing WAL until it is told to let go. A temporary slot goes with its connection,
 * so none is left behind, whatever happens to us.
 */
export const holdWal = async (scope: OperationScope): Promise<HeldWal> => {
  const held = Promise.withResolvers<string>()
  const release = Promise.withResolvers<void>()
  const session = asSuperuser(scope, async (client) => {
    const { rows } = await client.query<{ lsn: string }>(
      'SELECT lsn::text FROM pg_create_physical_replication_slot($1, true, true)',
      [slotName],
    )
    held.resolve(rows[0]!.lsn)
    await release.promise
    await client.query('SELECT 1') // It has broken meanwhile? Then WAL may be missing.
  })
  session.catch(held.reject)
  const lsn = await held.promise
  const letGo = async (): Promise<void> => {
    release.resolve()
    await session
  }
  return { lsn, letGo }
}

const basebackupOptions = ['--checkpoint=fast', '--no-password', '--label=supervisor'] as const

/**
 * The cluster as a tar, with a manifest for `pg_verifybackup`, and with the WAL that it needs or none. With
 * the manifest of an earlier one, only what has changed since.
 */
export const readBase = (scope: OperationScope, wal: 'fetch' | 'none', since?: string): Bytes => {
  const { place, results } = scope
  const how = [`--wal-method=${wal}`, ...(since === undefined ? [] : [`--incremental=${since}`])]
  return outputOf(scope, {
    what: 'copy the cluster',
    command: asPostgres(
      place,
      ['pg_basebackup', '--pgdata=-', '--format=tar', ...how, ...basebackupOptions],
      libpqEnvironment(place, asSuperuserOf(place.paths, results.secrets.superuserPassword)),
    ),
  })
}

/** The cluster, whole, or what has changed since the one of a manifest. */
export async function* readCluster(scope: OperationScope, since?: string): AsyncGenerator<Buffer> {
  const { letGo } = await holdWal(scope)
  let isWhole = false
  try {
    yield* readBase(scope, 'fetch', since)
    isWhole = true
  } finally {
    if (isWhole) await letGo()
    else void letGo().catch(() => {}) // What is thrown already says more.
  }
}

type MediaScope = Parameters<typeof outputOf>[0] & {
  readonly place: {
    readonly paths: Pick<Paths, 'data'>
    readonly identities: Pick<Identities, 'mathesar'>
  }
}

const tarMedia = ['tar', '--create', '--sparse', '--ignore-failed-read'] as const

/**
 * The files that Mathesar keeps, as a tar. Its own user reads them: what it put there, such as a link, leads
 * to nothing that it could not read itself. No archive is larger than what lies on the disk, however many
 * names a file has, and however large its holes are. A file that changes or goes meanwhile is not a failure.
 */
export const readMedia = (scope: MediaScope, how: readonly string[] = []): Bytes => {
  const { paths, identities } = scope.place
  const folder = inVolume(paths).media
  return outputOf(scope, {
    what: 'copy the media',
    command: tool([...tarMedia, ...how, '--directory', folder, '.'], identities.mathesar),
    fine: [0, 1],
  })
}

const withoutSecrets = (text: string): string =>
  editConfig(
    text,
    Object.fromEntries(
      settingNames.filter((name) => settingOf(name).secret).map((name) => [name, undefined]),
    ),
  )

/**
 * The config files. Without secrets, secret settings are left out, and so are YAML files of which nobody can
 * tell what in them is secret.
 */
export const readConfig = ({ system, place }: OperationScope, hasSecrets: boolean): readonly Entry[] => {
  const { files } = system.readConfigFiles(inVolume(place.paths).config, configFiles)
  return configFiles.flatMap((name) => {
    const text = files[name]
    if (text === undefined || text.length > fileLimitBytes) return []
    const isEnv = name === 'mathesar.env'
    if (!hasSecrets && !isEnv && yamlFiles[name].isSecret) return []
    return [{ name: `config/${name}`, data: Buffer.from(isEnv && !hasSecrets ? withoutSecrets(text) : text) }]
  })
}

export const readSecrets = ({ results: { secrets } }: OperationScope): readonly Entry[] =>
  Object.entries({ secret_key: secrets.secretKey, postgres_password: secrets.superuserPassword }).flatMap(
    ([name, value]) =>
      value === undefined || value === '' ? [] : [{ name: `secrets/${name}`, data: Buffer.from(value) }],
  )

/** Bytes of all databases: how much there is to read, for the progress. */
export const countBytes = (scope: OperationScope): Promise<number> =>
  asSuperuser(scope, async (client) => {
    const { rows } = await client.query<{ bytes: number }>(
      'SELECT sum(pg_database_size(oid))::float8 AS bytes FROM pg_database',
    )
    return rows[0]?.bytes ?? 0
  })
