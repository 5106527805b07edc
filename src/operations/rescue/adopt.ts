import { SupervisorError } from '../../errors.ts'
import { fingerprintOf } from '../../units/fingerprint.ts'
import { writeManifestIn } from '../../units/manifest.ts'
import { inRun, ownProgram } from '../../units/place.ts'
import { appRole, internalDatabase } from '../../units/postgres/connection.ts'
import { asPostgres } from '../../units/postgres/programs.ts'
import { bringIn, makeRoom, requireReplaceable } from '../incoming.ts'
import { runToEnd } from '../programs.ts'
import { lockOperations, type OperationScope } from '../scope.ts'
import { asUser, createRole, withSideServer } from '../server.ts'
import { makeOwnFolder } from '../stage.ts'
import { copyCluster, copyMedia } from './copy.ts'
import { type Foreign, findAll, requireOne, requireOurMajor } from './found.ts'
import {
  databasesOf,
  handOverDatabase,
  handOverRoles,
  isInternal,
  nameInternal,
  type Roles,
} from './handover.ts'
import { fitStored, lockedTo } from './stored.ts'
import { warningsOf } from './words.ts'

/**
 * The theory of an adoption.
 *
 * The cluster of another image is copied as it is: every OID stays, by which Mathesar keys what people built.
 * A small server replays what the copy has in its log alone, and hands everything over to the roles of this
 * image. Then the copy takes its place in the volume as a restored state does: all at once, by one file.
 * Whatever cuts it off before leaves the volume as it was; the old cluster is only read.
 */
type AdoptOptions = {
  /** The folder that has the cluster; `undefined` for wherever other images keep theirs. */
  readonly folder: string | undefined
  /** What Mathesar calls the cluster's server, where that is not one of the usual names. */
  readonly host: string | undefined
  readonly mayReplace: boolean
  /** Whether to go on although what the secret key has encrypted cannot be read again. */
  readonly isWithoutKey: boolean
  readonly isAlone: boolean
  readonly onStep: (what: string) => void
}

type Adopted = {
  readonly from: string
  readonly databases: readonly string[]
  /** Where the state before is kept, if there was one. */
  readonly kept: string | undefined
  readonly warnings: readonly string[]
}

/** The key that was given, or that lies where other images keep it. */
const keyOf = ({ system, inForce }: OperationScope, { key }: Foreign): string | undefined =>
  inForce.settings.SECRET_KEY ??
  (key === undefined ? undefined : system.files.readIfThere(key)?.trim() || undefined)

const missingKeyHint =
  "The old container's layer has it: `docker cp CONTAINER:/code/.secrets secrets`, then add " +
  '`-v ./secrets:/code/.secrets:ro`, or give it as it was: `-e SECRET_KEY=…`. If it is lost, ' +
  '`--without-key` goes on: those passwords have to be set again in Mathesar. Nothing was changed.'

/** Proves that the key is the one that the passwords were stored with. Returns those that are lost. */
const requireKey = (
  key: string | undefined,
  passwords: Parameters<typeof lockedTo>[1],
  { isWithoutKey }: AdoptOptions,
): readonly string[] => {
  const locked = key === undefined ? passwords.map(({ name }) => name) : lockedTo(key, passwords)
  if (locked.length === 0 || isWithoutKey) return locked
  const roles = locked.slice(0, 5).join(', ')
  throw new SupervisorError(
    'SECRETS_MISSING',
    key === undefined
      ? `cannot adopt without the secret key: Mathesar stores passwords of roles that it encrypted (${roles})`
      : `cannot adopt with this secret key: it does not open the stored passwords of ${roles}`,
    { hint: missingKeyHint },
  )
}

export type HandedOver = {
  readonly roles: Roles
  readonly databases: readonly string[]
  readonly stored: Awaited<ReturnType<typeof fitStored>>
  /** Whether its pages have checksums already. */
  readonly hasChecksums: boolean
}

const readChecksums = "SELECT current_setting('data_checksums') = 'on' AS has"

const findInternal = async (
  scope: OperationScope,
  folder: string,
  role: string,
  databases: readonly string[],
): Promise<string | undefined> => {
  const found: string[] = []
  for (const name of databases) if (await asUser(scope, folder, [role, name], isInternal)) found.push(name)
  if (found.length < 2 || found.includes(internalDatabase))
    return found.find((name) => name === internalDatabase) ?? found[0]
  throw new SupervisorError(
    'RESCUE_REFUSED',
    `cannot adopt: there are ${found.length} databases in which Mathesar keeps its own tables: ` +
      found.join(', '),
    { hint: `Rename the right one to ${internalDatabase} in the old server. Nothing was changed.` },
  )
}

/** All that is done in the copy, as its superuser; what Mathesar stores, as Mathesar's role. */
const handOver = async (
  scope: OperationScope,
  folder: string,
  role: string,
  { host }: AdoptOptions,
): Promise<HandedOver> => {
  const { scramVerifier } = await import('../../units/postgres/scram.ts')
  const password = scope.system.randomText(50)
  scope.system.files.writeWhole(`${folder}/secrets/postgres_password`, password, 0o600)
  const [roles, databases, hasChecksums] = await asUser(
    scope,
    folder,
    [role, 'template1'],
    async (client) => {
      const { rows } = await client.query<{ has: boolean }>(readChecksums)
      const handed = await handOverRoles(client)
      await client.query(`ALTER ROLE postgres PASSWORD '${scramVerifier(password)}'`)
      return [handed, await databasesOf(client), rows[0]?.has === true] as const
    },
  )
  const internal = await findInternal(scope, folder, role, databases)
  for (const name of databases) await asUser(scope, folder, [role, name], handOverDatabase)
  await asUser(scope, folder, [role, 'template1'], (client) => nameInternal(client, internal))
  const socket = inRun(scope.place.paths).postgresSocket
  const stored =
    internal === undefined
      ? { otherHosts: [], passwords: [], version: undefined }
      : await asUser(scope, folder, [appRole, internalDatabase], (client) =>
          fitStored(client, roles, socket, host),
        )
  await asUser(scope, folder, ['postgres', 'template1'], (client) => client.query(`DROP ROLE ${role}`))
  return { roles, databases: databases.filter((name) => name !== internal), stored, hasChecksums }
}

const damagedHint =
  '`rescue FOLDER --salvage /saved` saves what can be read, table by table. If the page is of an index, ' +
  '`REINDEX` in the old server rebuilds it. Nothing was changed.'

const run = (
  scope: OperationScope,
  program: Pick<Parameters<typeof runToEnd>[1], 'what' | 'code'>,
  argv: readonly [string, ...string[]],
): Promise<void> => runToEnd(scope, { ...program, command: asPostgres(scope.place, argv) })

/**
 * Gives a cluster's pages checksums, as ours have them; what is damaged would pass as whole with one. It must
 * have shut down in order.
 */
const addChecksums = async (scope: OperationScope, cluster: string, hasThem: boolean): Promise<void> => {
  const { paths } = scope.place
  const proof = { what: 'adopt the cluster, of which a page is damaged', code: 'CLUSTER_DAMAGED' } as const
  try {
    const program = ownProgram(paths, 'damaged_page.py')
    await run(scope, proof, [`${paths.pythonBin}/python3`, program, cluster])
    if (hasThem) return await run(scope, proof, ['pg_checksums', '--check', '-D', cluster])
  } catch (cause) {
    if (!(cause instanceof SupervisorError) || cause.code !== 'CLUSTER_DAMAGED') throw cause
    throw new SupervisorError(cause.code, cause.message, { cause, hint: damagedHint })
  }
  const what = 'add checksums to the copy of the cluster'
  const argv = ['pg_checksums', '--enable', '--no-sync', '-D', cluster] as const
  await run(scope, { what, code: 'CLUSTER_UNUSABLE' }, argv)
}

/** Makes an installation of this image of a cluster that another one made. */
export const takeOverCluster = async (scope: OperationScope, options: AdoptOptions): Promise<Adopted> => {
  const { system } = scope
  lockOperations(scope)
  const source = requireOne(scope, await findAll(scope, options.folder))
  requireOurMajor(scope, source, 'adopt')
  requireReplaceable(scope, options.mayReplace)
  makeRoom(scope, source.bytes)
  let warnings: readonly string[] = []
  let databases: readonly string[] = []
  const kept = await bringIn(
    scope,
    options.isAlone,
    async (folder) => {
      makeOwnFolder(scope, folder, undefined, 0o711)
      makeOwnFolder(scope, `${folder}/secrets`, undefined, 0o700)
      options.onStep(`copying ${source.folder}`)
      await copyCluster(scope, source.folder, `${folder}/postgres`)
      await copyMedia(scope, source.media, `${folder}/media`)
      options.onStep('recovering the copy, and handing it over to the roles of this image')
      const role = `rescue_${system.randomText(12, 'abcdefghijklmnopqrstuvwxyz')}`
      await createRole(scope, folder, role)
      const side = {
        folder,
        what: 'adopt the cluster',
        code: 'CLUSTER_UNUSABLE',
        isKept: true,
        user: role,
      } as const
      const handedOver = await withSideServer(scope, side, () => handOver(scope, folder, role, options))
      const given = keyOf(scope, source)
      const locked = requireKey(given, handedOver.stored.passwords, options)
      const key = given ?? system.randomText(50)
      system.files.writeWhole(`${folder}/secrets/secret_key`, key, 0o600)
      options.onStep('looking at each page, and adding checksums')
      await addChecksums(scope, `${folder}/postgres`, handedOver.hasChecksums)
      const { version } = handedOver.stored
      writeManifestIn(scope, folder, {
        ...(version === undefined ? {} : { servedBy: { mathesar: version } }),
        keyFingerprint: fingerprintOf(key),
        adopted: { from: source.folder, at: new Date(system.clock.now()).toISOString() },
      })
      databases = handedOver.databases
      warnings = warningsOf(handedOver, locked, source.media)
      return []
    },
    'adoption',
  )
  return { from: source.folder, databases, kept, warnings }
}
