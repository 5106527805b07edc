import { isRecord } from '../../core/record.ts'
import { SupervisorError } from '../../errors.ts'
import type { Client } from '../../system/ports.ts'
import { readManifest, writeManifestIn } from '../../units/manifest.ts'
import { inRun, inVolume } from '../../units/place.ts'
import { appRole, internalDatabase } from '../../units/postgres/connection.ts'
import { asArguments, asPostgres, majorOf } from '../../units/postgres/programs.ts'
import { bringIn, makeRoom, requireReplaceable } from '../incoming.ts'
import { runToEnd } from '../programs.ts'
import { bytesOf } from '../rescue/found.ts'
import { databasesOf, grantRoles } from '../rescue/handover.ts'
import { lockOperations, type OperationScope } from '../scope.ts'
import { asUser, parametersFor, programsConnectTo, withSideServer } from '../server.ts'
import { makeOwnFolder } from '../stage.ts'
import { changesOf, readSchemas, translateSchemas } from './schemas.ts'

/**
 * The theory of another major version.
 *
 * `pg_upgrade` wants both servers, so it runs in an image of its own that has them. It fills a new cluster
 * beside the old one, in which every table, role, database and column keeps its number; what has another one
 * is translated. Then the new cluster takes its place as a restored one does, by one file, and the old one is
 * kept until `restore --forget`: `restore --undo` brings it back, for the image that it fits.
 */
type UpgradeOptions = { readonly isAlone: boolean; readonly onStep: (what: string) => void }

type Upgraded = {
  readonly from: string
  readonly to: string
  /** Where the cluster before is kept. */
  readonly kept: string | undefined
}

/** The servers of two versions, by the folders of their programs. */
type Servers = {
  readonly from: string
  readonly to: string
  readonly oldBin: string
  readonly newBin: string
}

const superuser = 'postgres'

const findServers = ({ system, place }: OperationScope): Servers => {
  const { cluster } = inVolume(place.paths)
  const text = system.files.readForeign(`${cluster}/PG_VERSION`, 1024)?.toString('latin1')
  const from = /^\d+/.exec(text ?? '')?.[0]
  const newBin = place.paths.postgresBin ?? ''
  const to = majorOf(place)?.toString()
  if (from === undefined || to === undefined)
    throw new SupervisorError('RESCUE_REFUSED', `cannot upgrade Postgres: there is no cluster in ${cluster}`)
  if (from === to)
    throw new SupervisorError(
      'RESCUE_REFUSED',
      `cannot upgrade Postgres: ${cluster} is of Postgres ${to} already`,
    )
  const oldBin = newBin.replace(/\d+\/bin$/, `${from}/bin`)
  if (!system.files.isThere(`${oldBin}/postgres`))
    throw new SupervisorError(
      'CLUSTER_OTHER_MAJOR',
      `cannot upgrade Postgres: the data is of Postgres ${from}, and this image has no such server`,
    )
  return { from, to, oldBin, newBin }
}

const withBin = (scope: OperationScope, postgresBin: string): OperationScope => ({
  ...scope,
  place: { ...scope.place, paths: { ...scope.place.paths, postgresBin } },
})

type Before = {
  readonly hasChecksums: boolean
  readonly schemas: Readonly<Record<string, Awaited<ReturnType<typeof readSchemas>>>>
}

const readAll = async (scope: OperationScope, folder: string): Promise<Before['schemas']> => {
  const names = await asUser(scope, folder, [superuser, 'template1'], databasesOf)
  const schemas: Record<string, Before['schemas'][string]> = {}
  for (const name of names) schemas[name] = await asUser(scope, folder, [superuser, name], readSchemas)
  return schemas
}

const readChecksums = async (client: Client): Promise<boolean> =>
  (await client.query<{ value: string }>("SELECT current_setting('data_checksums') AS value")).rows[0]
    ?.value === 'on'

const side = { what: 'upgrade Postgres', code: 'CLUSTER_UNUSABLE', isKept: true, user: superuser } as const

/** The old server says what has to be translated, and leaves its cluster shut down in order. */
const readBefore = (scope: OperationScope, folder: string, { oldBin }: Servers): Promise<Before> => {
  const old = withBin(scope, oldBin)
  const { cluster } = inVolume(scope.place.paths)
  return withSideServer(old, { ...side, folder, cluster }, async () => ({
    hasChecksums: await asUser(old, folder, [superuser, 'template1'], readChecksums),
    schemas: await readAll(old, folder),
  }))
}

const run = (scope: OperationScope, folder: string, argv: readonly [string, ...string[]]): Promise<void> =>
  runToEnd(scope, {
    what: 'upgrade Postgres',
    command: { ...asPostgres(scope.place, argv), cwd: `${folder}/work` },
    code: 'CLUSTER_UNUSABLE',
  })

const fill = async (
  scope: OperationScope,
  folder: string,
  { oldBin, newBin }: Servers,
  { hasChecksums }: Before,
): Promise<void> => {
  const { cluster } = inVolume(scope.place.paths)
  /** Where it listens and for how many is its own to say. */
  const optionsFor = (bin: string): string => {
    const {
      port: _port,
      unix_socket_directories: _socket,
      listen_addresses: _addresses,
      max_connections: _connections,
      ...others
    } = parametersFor(withBin(scope, bin), folder, bin === oldBin)
    return asArguments(others).join(' ')
  }
  await run(scope, folder, [
    `${newBin}/initdb`,
    `--pgdata=${folder}/postgres`,
    `--username=${superuser}`,
    '--auth=scram-sha-256',
    `--pwfile=${folder}/word`,
    ...(hasChecksums ? ['--data-checksums'] : []),
    '--no-sync',
  ])
  await run(scope, folder, [
    `${newBin}/pg_upgrade`,
    `--old-datadir=${cluster}`,
    `--new-datadir=${folder}/postgres`,
    `--old-bindir=${oldBin}`,
    `--new-bindir=${newBin}`,
    `--old-options=${optionsFor(oldBin)}`,
    `--new-options=${optionsFor(newBin)}`,
    `--username=${superuser}`,
    `--socketdir=${folder}/work`,
    '--no-sync',
  ])
}

/** What Mathesar knows by numbers that changed, and what the new version asks of roles and statistics. */
const finish = (scope: OperationScope, folder: string, { schemas: before }: Before): Promise<void> =>
  withSideServer(scope, { ...side, folder }, async () => {
    const after = await readAll(scope, folder)
    const socket = inRun(scope.place.paths).postgresSocket
    for (const [name, schemas] of Object.entries(before))
      await asUser(scope, folder, [appRole, internalDatabase], (client) =>
        translateSchemas(client, socket, name, changesOf(schemas, after[name] ?? {})),
      )
    await asUser(scope, folder, [superuser, 'template1'], grantRoles)
    await runToEnd(scope, {
      what: 'analyze the tables',
      command: asPostgres(
        scope.place,
        ['vacuumdb', '--all', '--analyze-only', '--no-password', '--quiet'],
        programsConnectTo(scope, folder, superuser),
      ),
      code: 'CLUSTER_UNUSABLE',
    })
  })

/** The new cluster has an identifier of its own, and other libraries have sorted what is in it. */
const writeManifest = (scope: OperationScope, folder: string, { from }: Servers): void => {
  const before = readManifest(scope)
  const { collation: _, ...servedBy } = isRecord(before.servedBy) ? before.servedBy : {}
  const upgraded = { from, at: new Date(scope.system.clock.now()).toISOString() }
  writeManifestIn(scope, folder, { ...before, servedBy, upgraded })
}

/** Brings the cluster of the volume to the Postgres of this image. */
export const upgradePostgres = async (
  scope: OperationScope,
  { isAlone, onStep }: UpgradeOptions,
): Promise<Upgraded> => {
  lockOperations(scope)
  const servers = findServers(scope)
  const { cluster } = inVolume(scope.place.paths)
  requireReplaceable(scope, true)
  makeRoom(scope, await bytesOf(scope, cluster))
  const kept = await bringIn(
    scope,
    isAlone,
    async (folder) => {
      const { postgres } = scope.place.identities
      makeOwnFolder(scope, folder, undefined, 0o711)
      makeOwnFolder(scope, `${folder}/work`, postgres, 0o700)
      makeOwnFolder(scope, `${folder}/postgres`, postgres, 0o700)
      scope.system.files.writeWhole(`${folder}/word`, scope.system.randomText(50), 0o644)
      onStep(`reading what Postgres ${servers.from} has`)
      const before = await readBefore(scope, folder, servers)
      onStep(`filling a cluster of Postgres ${servers.to}`)
      await fill(scope, folder, servers, before)
      onStep('translating what Mathesar knows by number, and analyzing the tables')
      await finish(scope, folder, before)
      writeManifest(scope, folder, servers)
      return ['secrets', 'config', 'history', 'media']
    },
    'upgrade',
  )
  return { from: servers.from, to: servers.to, kept }
}
