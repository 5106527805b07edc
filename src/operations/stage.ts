import { configFiles } from '../settings/configuration.ts'
import { type ArchiveChain, type ChainLink, naming } from './chain/open.ts'
import { combine } from './chain/combine.ts'
import { foreign } from './archive/description.ts'
import { packed, pieceBytes } from './archive/parts.ts'
import { sectionsOf } from './archive/read.ts'
import type { Bytes } from './archive/bytes.ts'
import { damaged, type Entry } from './archive/tar.ts'
import { asPostgres } from '../units/postgres/programs.ts'
import { streams } from './backup.ts'
import { requireSpaceLeft } from './incoming.ts'
import { outputOf, runToEnd, tool } from './programs.ts'
import type { OperationScope } from './scope.ts'
import type { User } from '../core/unit.ts'

/** Unpacks an archive into a folder, where nothing uses it, and proves it there. */

/** Makes a folder of a user. */
export const makeOwnFolder = (
  { system }: OperationScope,
  path: string,
  user: User | undefined,
  mode: number,
): void => {
  system.files.makeFolder(path, mode)
  system.setOwner(path, user, mode)
}

/**
 * Unpacks a tar that zstd compressed, as the user whose files they are, so that nothing in it can reach what
 * that user cannot. GNU tar takes no name that climbs out of its folder.
 */
export const unpack = async (
  scope: OperationScope,
  folder: string,
  user: User | undefined,
  mode: number,
  bytes: Bytes,
  how: readonly string[] = [],
): Promise<void> => {
  makeOwnFolder(scope, folder, user, mode)
  const argv = [
    'tar',
    '--extract',
    '--zstd',
    '--no-same-owner',
    '--preserve-permissions',
    '--directory',
    folder,
    ...how,
  ] as const
  await runToEnd(scope, {
    what: 'unpack this archive',
    command: tool(argv, user),
    input: bytes,
    code: 'BACKUP_DAMAGED',
  })
}

const find = (
  scope: OperationScope,
  folder: string,
  user: User | undefined,
  ...test: readonly string[]
): AsyncGenerator<Buffer> =>
  outputOf(scope, {
    what: `look into ${folder}`,
    command: tool(['find', folder, ...test], user),
  })

/** What is neither a folder nor a file of its own: a cluster has none, but for tablespaces. */
export const findOdd = async (scope: OperationScope, folder: string): Promise<string | undefined> => {
  const odd = ['(', '!', '-type', 'f', '!', '-type', 'd', '-o', '-type', 'f', '-links', '+1', ')']
  for await (const found of find(scope, folder, scope.place.identities.postgres, ...odd, '-print', '-quit'))
    return found
      .toString()
      .trim()
      .slice(folder.length + 1)
  return undefined
}

export const requirePlainFiles = async (scope: OperationScope, folder: string): Promise<void> => {
  const odd = await findOdd(scope, folder)
  if (odd !== undefined) throw damaged(`${odd} is a link or a device`)
}

/** Mathesar's user may have put links there: they come from it, lead to nothing of ours, and are left out. */
export const removeOddMedia = async (scope: OperationScope, folder: string): Promise<void> => {
  const odd = ['!', '-type', 'f', '!', '-type', 'd', '-delete']
  for await (const _ of find(scope, folder, scope.place.identities.mathesar, ...odd));
}

/** Postgres's own proof that a base backup is whole: each file, and the WAL unless `how` leaves it out. */
export const verifyCluster = (
  scope: OperationScope,
  folder: string,
  how: readonly string[] = [],
): Promise<void> =>
  runToEnd(scope, {
    what: 'use this archive',
    command: asPostgres(scope.place, ['pg_verifybackup', '--quiet', ...how, folder]),
    code: 'BACKUP_DAMAGED',
  })

/** A copy of the cluster, compressed, into `postgres` of a folder. */
export const unpackCluster = (scope: OperationScope, folder: string, bytes: Bytes): Promise<void> =>
  unpack(scope, `${folder}/postgres`, scope.place.identities.postgres, 0o700, bytes)

/**
 * Makes files in the cluster of a folder, or empties them. Postgres's user does it, which may put links in
 * their places at any moment.
 */
export const makeEmptyFiles = (
  scope: OperationScope,
  folder: string,
  ...names: readonly string[]
): Promise<void> =>
  runToEnd(scope, {
    what: `write into ${folder}`,
    command: tool(
      ['truncate', '--size=0', ...names.map((name) => `${folder}/postgres/${name}`)],
      scope.place.identities.postgres,
    ),
    code: 'VOLUME_NOT_WRITABLE',
  })

const known = new Set<string>([
  'secrets/secret_key',
  'secrets/postgres_password',
  ...configFiles.map((name) => `config/${name}`),
])

export const writeFile = (scope: OperationScope, folder: string, { name, data }: Entry): void => {
  if (!known.has(name)) throw foreign(`${name} has no place here`)
  makeOwnFolder(scope, `${folder}/${name.split('/')[0]}`, undefined, 0o700)
  scope.system.files.writeWhole(`${folder}/${name}`, data.toString(), 0o600)
}

type Target = {
  readonly folder: string
  /** Where the cluster goes. */
  readonly cluster: string
  /** What is left out of it. */
  readonly without?: readonly string[]
  readonly onProgress: (bytes: number) => void
}

const writeStream = (
  scope: OperationScope,
  { folder, cluster, without = [] }: Target,
  name: string,
  bytes: Bytes,
): Promise<void> => {
  const { postgres, mathesar } = scope.place.identities
  if (name === streams.cluster) return unpack(scope, cluster, postgres, 0o700, bytes, without)
  if (name === streams.media) return unpack(scope, `${folder}/media`, mathesar, 0o750, bytes)
  throw foreign(`${name} has no place here`)
}

/** A stream as zstd has compressed it. What its parts hold is counted as they pass, while there is space. */
async function* counted(
  scope: OperationScope,
  parts: AsyncIterable<Entry>,
  onProgress: Target['onProgress'],
): AsyncGenerator<Buffer> {
  for await (const bytes of packed(parts)) {
    requireSpaceLeft(scope)
    onProgress(pieceBytes)
    yield bytes
  }
}

/** All of an archive. */
const unpackAll = (scope: OperationScope, link: ChainLink, target: Target): Promise<void> =>
  naming(link.title, async () => {
    for await (const section of sectionsOf((await link.open()).entries)) {
      if (section.kind === 'file') writeFile(scope, target.folder, section.entry)
      else await writeStream(scope, target, section.name, counted(scope, section.parts, target.onProgress))
    }
  })

/** The cluster of an archive alone. The rest of it is read all the same: its checksums are at its end. */
const unpackParent = (scope: OperationScope, link: ChainLink, target: Target): Promise<void> =>
  naming(link.title, async () => {
    for await (const section of sectionsOf((await link.open()).entries)) {
      if (section.kind === 'file') continue
      const bytes = counted(scope, section.parts, target.onProgress)
      if (section.name === streams.cluster) await writeStream(scope, target, section.name, bytes)
      else for await (const _ of bytes);
    }
  })

/** Unpacks the clusters of a chain beside each other, and makes one of them. */
const stageChain = async (
  scope: OperationScope,
  { parents, newest }: ArchiveChain,
  { folder, cluster, onProgress }: Target,
): Promise<void> => {
  const beside = `${folder}/links`
  makeOwnFolder(scope, beside, undefined, 0o755) // Postgres's user puts no link in it.
  const links = [...parents, newest].map((_, index) => `${beside}/${index + 1}`)
  const without = ['--exclude=pg_wal'] // The log of the newest is what starts.
  for (const [index, parent] of parents.entries())
    await unpackParent(scope, parent, { folder, cluster: links[index]!, without, onProgress })
  await unpackAll(scope, newest, { folder, cluster: links.at(-1)!, onProgress })
  await requirePlainFiles(scope, beside)
  makeOwnFolder(scope, cluster, scope.place.identities.postgres, 0o700)
  await combine(scope, links, cluster)
  scope.system.files.remove(beside)
}

type Listeners = {
  readonly onProgress: (bytes: number) => void
  /** All is there, and not proved yet. */
  readonly onUnpacked?: () => void
}

/** The files of an installation, in a folder that everybody may pass through. Throws unless all is proved. */
export const stage = async (
  scope: OperationScope,
  chain: ArchiveChain,
  folder: string,
  { onProgress, onUnpacked }: Listeners,
): Promise<void> => {
  makeOwnFolder(scope, folder, undefined, 0o711)
  const target = { folder, cluster: `${folder}/postgres`, onProgress }
  if (chain.parents.length === 0) await unpackAll(scope, chain.newest, target)
  else await stageChain(scope, chain, target)
  onUnpacked?.()
  await requirePlainFiles(scope, target.cluster)
  await removeOddMedia(scope, `${folder}/media`)
  await verifyCluster(scope, target.cluster)
}
