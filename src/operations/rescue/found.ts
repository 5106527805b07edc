import { MiB } from '../../core/amounts.ts'
import { SupervisorError } from '../../errors.ts'
import { fingerprintOf } from '../../units/fingerprint.ts'
import { foreignClusters, foreignPlaces } from '../../units/foreign.ts'
import { findHolder, type Holder } from '../../units/holder.ts'
import { installationIn, type Manifest, readManifest } from '../../units/manifest.ts'
import { inVolume } from '../../units/place.ts'
import { readControlFile } from '../../units/postgres/control-file.ts'
import { isForbidden } from '../../units/refusal.ts'
import { isWaiting, readJournal } from '../../units/swap.ts'
import { textOf } from '../archive/bytes.ts'
import { outputOf, tool } from '../programs.ts'
import { fitnessOf } from '../restore.ts'
import type { OperationScope } from '../scope.ts'

/** What is in the volume and in what is mounted beside it, read without a change to it. */

export type Cluster = {
  readonly folder: string
  /** The major version of its Postgres; `undefined` where it does not say. */
  readonly major: string | undefined
  /** `undefined` where nobody can tell. */
  readonly isShutDown: boolean | undefined
  readonly bytes: number
}

/** The installation of this image in the volume. */
export type Own = {
  readonly folder: string
  /** `undefined` where it is gone. */
  readonly cluster: Cluster | undefined
  /** Who serves from it now. */
  readonly holder: Holder | undefined
  readonly manifest: Manifest
  readonly key: 'there' | 'another' | 'missing'
  readonly archives: number
  /** Whether a restore waits for the next start, or has left the state before. */
  readonly restored: 'waits' | 'kept' | undefined
}

/** A cluster that another image made, with what Mathesar keeps beside it. */
export type Foreign = Cluster & {
  /** Whether Mathesar's internal database is in it, as far as that shows without a server. */
  readonly isMathesars: boolean
  /** The file with the secret key, and the folder of the media. */
  readonly key: string | undefined
  readonly media: string | undefined
}

export type Found = { readonly own: Own | undefined; readonly foreign: readonly Foreign[] }

/** How much a folder has in it. */
export const bytesOf = async (scope: OperationScope, folder: string): Promise<number> => {
  const command = tool(['du', '--summarize', '--block-size=1', folder])
  const text = await textOf(outputOf(scope, { what: `look into ${folder}`, command, fine: [0, 1] }))
  return Number(/^\d+/.exec(text)?.[0] ?? 0)
}

/** What another user wrote may be anything: what cannot be read says nothing. */
const readOr = <T>(read: () => T | undefined): T | undefined => {
  try {
    return read()
  } catch (error) {
    if (isForbidden(error)) throw error
    return undefined
  }
}

export const lookAt = async (scope: OperationScope, folder: string): Promise<Cluster> => {
  const { files } = scope.system
  const text = readOr(() => files.readForeign(`${folder}/PG_VERSION`, 1024))?.toString('latin1')
  return {
    folder,
    major: /^\d+/.exec(text ?? '')?.[0],
    isShutDown: readOr(() => readControlFile(scope, folder))?.isShutDown,
    bytes: await bytesOf(scope, folder),
  }
}

/** The list of databases is in the file of this name, unless somebody rewrote that table. */
const databasesFile = 'global/1262'
const limitBytes = 8 * MiB

const namesDatabase = ({ system }: OperationScope, folder: string): boolean =>
  readOr(() => system.files.readForeign(`${folder}/${databasesFile}`, limitBytes))?.includes(
    'mathesar_django\0',
  ) ?? false

const isFilled = ({ files }: OperationScope['system'], folder: string): boolean =>
  readOr(() => files.isThere(folder) && files.listFolder(folder).length > 0) === true

/** Where Mathesar's own image and its compose file keep them, or a copy of those folders. */
const keyFiles = ['.secrets/secret_key.txt', 'secrets/secret_key.txt', 'secret_key.txt']
const mediaFolders = ['.media', 'media']

const besideOf = (
  { system, place }: OperationScope,
  given: string | undefined,
): Pick<Foreign, 'key' | 'media'> => {
  const places = [...(given === undefined ? [] : [given]), place.paths.app]
  const all = (names: readonly string[]): readonly string[] =>
    places.flatMap((folder) => names.map((name) => `${folder}/${name}`))
  return {
    key: all(keyFiles).find((path) => system.files.isThere(path)),
    media: all(mediaFolders).find((path) => isFilled(system, path)),
  }
}

const keyIn = (scope: OperationScope, manifest: Manifest): Own['key'] => {
  const { secretKey } = scope.results.secrets
  if (secretKey === '') return 'missing'
  const isOther =
    typeof manifest.keyFingerprint === 'string' && manifest.keyFingerprint !== fingerprintOf(secretKey)
  return isOther ? 'another' : 'there'
}

const findOwn = async (scope: OperationScope): Promise<Own | undefined> => {
  const { system, place } = scope
  const volume = inVolume(place.paths)
  const manifest = readManifest(scope)
  const journal = readJournal(scope)
  const hasCluster = system.files.isThere(`${volume.cluster}/PG_VERSION`)
  const { instance } = installationIn(manifest)
  if (!hasCluster && manifest.cluster === undefined && instance === null) return undefined
  return {
    folder: place.paths.data,
    cluster: hasCluster ? await lookAt(scope, volume.cluster) : undefined,
    manifest,
    holder: await findHolder(scope),
    key: keyIn(scope, manifest),
    archives: isFilled(system, volume.backups) ? system.files.listFolder(volume.backups).length : 0,
    restored: journal && (isWaiting(journal) ? 'waits' : 'kept'),
  }
}

const look = async (scope: OperationScope, given: string | undefined): Promise<Found> => {
  const folders = given === undefined ? foreignPlaces(scope) : [given]
  const beside = besideOf(scope, given)
  const foreign: Foreign[] = []
  for (const folder of foreignClusters(scope, folders))
    foreign.push({
      ...(await lookAt(scope, folder)),
      ...beside,
      isMathesars: namesDatabase(scope, folder),
    })
  return { own: given === undefined ? await findOwn(scope) : undefined, foreign }
}

/** Looks into the volume and what is mounted where other images keep theirs, or into one folder. */
export const findAll = async (scope: OperationScope, given: string | undefined): Promise<Found> => {
  try {
    return await look(scope, given)
  } catch (cause) {
    if (!isForbidden(cause)) throw cause
    throw new SupervisorError('RESCUE_REFUSED', `cannot look at what is there: ${(cause as Error).message}`, {
      cause,
      hint: 'Only root may read what another image wrote: leave off `--user`. Nothing was changed.',
    })
  }
}

const refused = (why: string, hint?: string): SupervisorError =>
  new SupervisorError('RESCUE_REFUSED', why, hint === undefined ? {} : { hint })

/** What to do with a cluster of another version. */
const otherMajor = {
  adopt: () => 'Upgrade the old installation first, in its own way. Nothing was changed.',
  salvage: (major: string) =>
    `An image with Postgres ${major} does it, or its own programs, on a copy of that folder: ` +
    '`pg_resetwal --force FOLDER`, then `postgres -D FOLDER -c zero_damaged_pages=on`, and `pg_dump` of ' +
    'each table. Nothing was changed.',
} as const

/** Throws where the server of this image does not open it. One that does not say its version is tried. */
export const requireOurMajor = (
  scope: OperationScope,
  { folder, major }: Pick<Cluster, 'folder' | 'major'>,
  verb: keyof typeof otherMajor,
): void => {
  const { postgresMajor } = fitnessOf(scope)
  if (postgresMajor === undefined)
    throw new SupervisorError('RESCUE_REFUSED', `cannot ${verb} a cluster: this image has no Postgres server`)
  if (major === postgresMajor || (major === undefined && verb === 'salvage')) return
  throw new SupervisorError(
    'CLUSTER_OTHER_MAJOR',
    `cannot ${verb} ${folder}: its data is of Postgres ${major ?? '(unknown)'}, and this image has ` +
      postgresMajor,
    { hint: otherMajor[verb](major ?? '') },
  )
}

/** The one cluster that is to be taken over. */
export const requireOne = ({ place }: OperationScope, { foreign }: Found): Foreign => {
  const [first, ...others] = foreign
  if (first === undefined) throw refused('cannot adopt: there is no cluster of another image')
  if (others.length > 0)
    throw refused(
      `cannot adopt: there are ${foreign.length} clusters: ${foreign.map(({ folder }) => folder).join(', ')}`,
      'Name the folder of one: `rescue FOLDER --adopt`. Nothing was changed.',
    )
  if (first.folder === place.paths.data)
    throw refused(
      `cannot adopt: the cluster is what is mounted at ${place.paths.data} itself`,
      'Give the new installation a volume of its own: `docker run --rm -v OLD:/old:ro -v ' +
        `mathesar:${place.paths.data} IMAGE rescue /old --adopt\`. Nothing was changed.`,
    )
  return first
}
