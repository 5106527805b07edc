import { inMiB, inSeconds, MiB } from '../core/amounts.ts'
import { renderTable } from '../core/table.ts'
import { SupervisorError, toSupervisorError } from '../errors.ts'
import type { Archive } from '../http/archives.ts'
import type { Bytes } from '../operations/archive/bytes.ts'
import { checkArchive, openArchive } from '../operations/archive/read.ts'
import { ancestorsOf, naming, openChain, type Source } from '../operations/chain/open.ts'
import { keyOf } from '../operations/locks.ts'
import { openFolder, readArchive } from '../operations/places/folder.ts'
import {
  findArchive,
  openNamedStore,
  openStores,
  type Store,
  type Stored,
} from '../operations/places/store.ts'
import type { OperationScope } from '../operations/scope.ts'
import { prove } from '../operations/verify.ts'
import { changeRecord } from '../units/backup-record.ts'
import { createProgress, tell, throwFirst } from './operation.ts'

/** Looks into archives, wherever they are. */

/** With its name in a place; `undefined` for a file or standard input. */
type NamedSource = Source & { readonly name: string | undefined }

/** A file, with those beside it. */
const openFile = (scope: OperationScope, path: string): NamedSource => {
  const folder = path.slice(0, path.lastIndexOf('/')) || '/'
  return {
    name: undefined,
    title: path,
    open: () => readArchive(scope, path),
    shelf: openFolder(scope, { title: folder, path: folder, isOwn: false }),
  }
}

/** What an argument means: `-`, a file, an archive in a place, or a name that one of BACKUP_TO has. */
export const openSource = async (scope: OperationScope, argument: string): Promise<NamedSource> => {
  if (argument === '-')
    return {
      name: undefined,
      title: 'this archive',
      open: () => process.stdin as Bytes,
      shelf: undefined,
    }
  const [, place, name] = /^(s3:\/\/.+)\/([^/]+)$/.exec(argument) ?? []
  if (place !== undefined) return await openStored(scope, [openNamedStore(scope, place)], name!)
  if (argument.includes('/')) {
    if (!scope.system.files.isThere(argument))
      throw new SupervisorError('USAGE', `cannot open ${argument}: it is not there`, {
        hint: 'A path is one inside the container; `-` is standard input, and `newest` the newest backup.',
      })
    return openFile(scope, argument)
  }
  return await openStored(scope, openStores(scope), argument)
}

const openStored = async (
  scope: OperationScope,
  stores: readonly Store[],
  wanted: string,
): Promise<NamedSource> => {
  const { store, name } = await findArchive(scope, stores, wanted)
  return { name, title: name, open: () => store.read(name), shelf: store }
}

const describeStored = async (
  scope: OperationScope,
  { title, read }: Store,
  { name, bytes }: Stored,
  all: readonly Stored[],
): Promise<Archive> => {
  const { needs, isWhole } = ancestorsOf(name, all)
  const common = {
    place: title,
    name,
    bytes,
    needs: needs.map((each) => each.name),
    needsBytes: needs.reduce((sum, each) => sum + each.bytes, 0),
    isEncrypted: name.endsWith('.age'),
    problem: isWhole ? null : 'an archive that it needs is not here',
  }
  try {
    const { description, isLocked, entries } = await openArchive(scope.system, read(name), keyOf(scope))
    await entries.return(undefined)
    const { at, kind, mathesar, postgres, hasSecrets } = description
    return { ...common, isEncrypted: isLocked, at, kind, mathesar, postgres, hasSecrets }
  } catch (error) {
    const unknown = { at: null, kind: null, mathesar: null, postgres: null, hasSecrets: null }
    return { ...common, ...unknown, problem: (error as Error).message }
  }
}

type Listed = { readonly archives: readonly Archive[]; readonly failures: readonly SupervisorError[] }

/** What each place has, the newest first, and which places cannot be looked into. */
const listArchives = async (scope: OperationScope, stores: readonly Store[]): Promise<Listed> => {
  const archives: Archive[] = []
  const failures: SupervisorError[] = []
  for (const store of stores) {
    try {
      const stored = (await store.list()).toSorted((one, other) => (one.name < other.name ? 1 : -1))
      for (const each of stored) archives.push(await describeStored(scope, store, each, stored))
    } catch (error) {
      failures.push(toSupervisorError(error))
    }
  }
  return { archives, failures }
}

const head = ['PLACE', 'ARCHIVE', 'MIB', 'MADE AT', 'KIND', 'MATHESAR', 'POSTGRES', 'SECRETS', 'NEEDS']

const rowOf = (archive: Archive): string[] => {
  const { place, name, bytes, at, mathesar, postgres, isEncrypted, hasSecrets, problem } = archive
  const { needs, needsBytes } = archive
  const kind = needs.length > 0 ? 'incremental' : archive.kind
  const start = [place, name, (bytes / MiB).toFixed(1)]
  if (problem !== null) return [...start, '', problem]
  const secrets = isEncrypted ? 'encrypted' : `with${hasSecrets === true ? '' : 'out'} secrets`
  const more = needs.length === 0 ? '' : `${needs.length} more, ${inMiB(needsBytes)}`
  return [...start, at ?? '', kind ?? '', mathesar ?? '', postgres ?? '', secrets, more]
}

/** Lists what each place has, the newest first. A place that fails hides none of the others. */
export const list = async (scope: OperationScope, isJson: boolean, place?: string): Promise<number> => {
  const stores = place === undefined ? openStores(scope) : [openNamedStore(scope, place)]
  const { archives, failures } = await listArchives(scope, stores)
  if (isJson) process.stdout.write(`${JSON.stringify(archives)}\n`)
  else if (archives.length > 0) process.stdout.write(`${renderTable([head, ...archives.map(rowOf)])}\n`)
  else if (failures.length === 0)
    tell(`there is no archive in ${stores.map(({ title }) => title).join(', ')}`)
  throwFirst(failures)
  return 0
}

/** Prints what an archive says of itself, and which others it needs. */
export const show = async (scope: OperationScope, argument: string): Promise<number> => {
  const source = await openSource(scope, argument)
  const { description, entries } = await naming(source.title, () =>
    openArchive(scope.system, source.open(), keyOf(scope)),
  )
  await entries.return(undefined)
  const stored = description.parent === undefined ? [] : ((await source.shelf?.list()) ?? [])
  const { needs } = ancestorsOf(source.title.split('/').at(-1)!, stored)
  process.stdout.write(`${JSON.stringify({ ...description, needs }, null, 2)}\n`)
  return 0
}

/** Proves an archive, and notes that where it is one of a place. */
export const verify = async (scope: OperationScope, argument: string, isQuick: boolean): Promise<number> => {
  const { clock } = scope.system
  const { name, ...source } = await openSource(scope, argument)
  const chain = await openChain({ system: scope.system, lock: keyOf(scope) }, source)
  const progress = createProgress(clock)
  if (isQuick || chain.newest.description.kind === 'portable') {
    let inIt = 0
    for (const { title, open } of [...chain.parents, chain.newest])
      inIt += await naming(title, async () => await checkArchive(await open()))
    process.stdout.write(`every checksum is right; ${inMiB(inIt)} are in it\n`)
    return 0
  }
  const { databases, tables, rows, restoreMs } = await prove(scope, chain, progress.report)
  const tookMs = progress.end()
  if (name !== undefined) changeRecord(scope, () => ({ proved: { name, atMs: clock.now(), restoreMs } }))
  process.stdout.write(
    `proved in ${inSeconds(tookMs)}: it restores in ${inSeconds(restoreMs)}, every ` +
      `page and index is sound (pg_verifybackup, amcheck), Mathesar reads it, and it has ${rows} rows in ` +
      `${tables} tables of ${databases} databases\n`,
  )
  return 0
}
