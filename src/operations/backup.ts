import { SupervisorError } from '../errors.ts'
import { fingerprintOf } from '../units/fingerprint.ts'
import { installationIn, readManifest } from '../units/manifest.ts'
import { inVolume } from '../units/place.ts'
import { unsyncedMark } from '../units/postgres/cluster.ts'
import { version } from '../version.ts'
import type { Bytes } from './archive/bytes.ts'
import { Checksums } from './archive/checksums.ts'
import { type Description, formatOf } from './archive/description.ts'
import { partsOf } from './archive/parts.ts'
import { readmeOf } from './archive/readme.ts'
import { type Entry, TarWriter } from './archive/tar.ts'
import type { Base } from './chain/plan.ts'
import { dumpDatabase, dumpRoles, listDatabases } from './dumps.ts'
import { outsideOf } from './outside.ts'
import { countBytes, readCluster, readConfig, readMedia, readSecrets } from './sources.ts'
import type { OperationScope } from './scope.ts'

export type BackupOptions = {
  readonly kind: Description['kind']
  readonly hasSecrets: boolean
  /** What it builds on: then it has only what has changed of the cluster since. */
  readonly base?: Base | undefined
  /** Looks at the tar of the cluster as it passes by. */
  readonly watch?: (tar: Bytes) => Bytes
  /** Bytes read so far, of about `total`. */
  readonly onProgress: (read: number, total: number) => void
}

/** Names of streams, in the archive and for whoever restores it. */
export const streams = { cluster: 'postgres.tar.zst', media: 'media.tar.zst' }

/** A cluster that has not served yet says so in a file, and a restored one would be created again. */
export const requireServed = ({ system, place, inForce }: OperationScope): void => {
  const { cluster } = inVolume(place.paths)
  if (inForce.database.kind === 'external' || !system.files.isThere(unsyncedMark(cluster))) return
  throw new SupervisorError('BACKUP_FAILED', 'cannot back up: this installation is being made', {
    hint: 'Try again when `supervisor status` says that it is ready.',
  })
}

export const describe = async (
  scope: OperationScope,
  { kind, hasSecrets, base }: Pick<BackupOptions, 'kind' | 'hasSecrets' | 'base'>,
  names: readonly string[],
): Promise<Description> => {
  const { system, inForce, results } = scope
  const { instance, servedBy } = installationIn(readManifest(scope))
  const parent = base?.chain.links.at(-1)?.name
  const outside = [...outsideOf(inForce)]
  return {
    mathesarBackup: formatOf(parent),
    kind,
    at: new Date(system.clock.now()).toISOString(),
    instance,
    supervisor: version,
    mathesar: servedBy.mathesar ?? null,
    migration: servedBy.migration ?? null,
    postgres: servedBy.postgres ?? null,
    locale: servedBy.locale ?? null,
    collation: servedBy.collation ?? null,
    keyFingerprint: fingerprintOf(results.secrets.secretKey),
    hasSecrets,
    databaseBytes: inForce.database.kind === 'embedded' ? await countBytes(scope) : 0,
    ...(outside.length === 0 ? {} : { outside }),
    ...(parent === undefined ? {} : { parent }),
    ...(kind === 'portable'
      ? { databases: names.map((name, index) => ({ name, file: `databases/${index + 1}.dump` })) }
      : {}),
  }
}

type Stream = { readonly name: string; readonly bytes: () => Bytes }

const streamsOf = (
  scope: OperationScope,
  { databases = [], kind, hasSecrets }: Description,
  { base, watch = (tar) => tar }: BackupOptions,
): readonly Stream[] => {
  const media = { name: streams.media, bytes: () => readMedia(scope) }
  const cluster = { name: streams.cluster, bytes: () => watch(readCluster(scope, base?.manifest)) }
  if (kind === 'exact') return [cluster, media]
  return [
    { name: 'roles.sql.zst', bytes: () => dumpRoles(scope, hasSecrets) },
    ...databases.map(({ name, file }) => ({ name: `${file}.zst`, bytes: () => dumpDatabase(scope, name) })),
    media,
  ]
}

/** What an archive begins with; `links` are the names of those that it builds on, from the full one on. */
export const headOf = (description: Description, links: readonly string[] = []): readonly Entry[] => [
  { name: 'README.txt', data: Buffer.from(readmeOf(description, links)) },
  { name: 'backup.json', data: Buffer.from(`${JSON.stringify(description, null, 2)}\n`) },
]

async function* entriesOf(scope: OperationScope, options: BackupOptions): AsyncGenerator<Entry> {
  const names = options.kind === 'portable' ? await listDatabases(scope) : []
  const description = await describe(scope, options, names)
  yield* headOf(
    description,
    options.base?.chain.links.map(({ name }) => name),
  )
  if (options.hasSecrets) yield* readSecrets(scope)
  yield* readConfig(scope, options.hasSecrets)
  let read = 0
  // Nobody knows how much has changed.
  const total = options.base === undefined ? description.databaseBytes : 0
  for (const { name, bytes } of streamsOf(scope, description, options))
    yield* partsOf(name, bytes(), (more) => {
      read += more
      options.onProgress(read, total)
    })
}

/** The archive of some files. What fails is thrown, and leaves it without its end. */
export async function* archiveOf(entries: AsyncIterable<Entry>): AsyncGenerator<Buffer> {
  const [tar, checksums] = [new TarWriter(), new Checksums()]
  for await (const entry of entries) {
    checksums.add(entry)
    yield* tar.add(entry)
  }
  yield* tar.add(checksums.entry())
  yield tar.end()
}

/** An archive of the installation, as it is read. */
export const writeBackup = (scope: OperationScope, options: BackupOptions): AsyncGenerator<Buffer> => {
  requireServed(scope)
  return archiveOf(entriesOf(scope, options))
}
