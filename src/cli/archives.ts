import { renderTable } from '../core/table.ts'
import { SupervisorError } from '../errors.ts'
import type { Archive } from '../http/archives.ts'
import type { Bytes } from '../operations/archive/bytes.ts'
import { checkArchive, openArchive } from '../operations/archive/read.ts'
import { keyOf } from '../operations/keys.ts'
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
import { createProgress } from './operation.ts'

/** Looks into archives, wherever they are. */

const MiB = 1024 * 1024

type Source = {
  /** Its name in a place; `undefined` for a file or standard input. */
  readonly name: string | undefined
  readonly bytes: Bytes
}

/** What an argument means: `-`, a file, an archive in a place, or a name that one of BACKUP_TO has. */
export const openSource = async (scope: OperationScope, argument: string): Promise<Source> => {
  if (argument === '-') return { name: undefined, bytes: process.stdin as Bytes }
  const [, place, name] = /^(s3:\/\/.+)\/([^/]+)$/.exec(argument) ?? []
  if (place !== undefined) return await openStored([openNamedStore(scope, place)], name!)
  if (argument.includes('/')) {
    if (!scope.system.files.isThere(argument))
      throw new SupervisorError('USAGE', `cannot open ${argument}: it is not there`, {
        hint: 'A path is one inside the container; `-` is standard input, and `newest` the newest backup.',
      })
    return { name: undefined, bytes: scope.system.readStream(argument) }
  }
  return await openStored(openStores(scope), argument)
}

const openStored = async (stores: readonly Store[], wanted: string): Promise<Source> => {
  const { store, name } = await findArchive(stores, wanted)
  return { name, bytes: store.read(name) }
}

const describeStored = async (
  scope: OperationScope,
  { title, read }: Store,
  { name, bytes }: Stored,
): Promise<Archive> => {
  const common = { place: title, name, bytes, isEncrypted: name.endsWith('.age'), problem: null }
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

/** What each place has, the newest first. */
const listArchives = async (scope: OperationScope, stores: readonly Store[]): Promise<readonly Archive[]> => {
  const archives: Archive[] = []
  for (const store of stores) {
    const stored = (await store.list()).toSorted((one, other) => (one.name < other.name ? 1 : -1))
    for (const each of stored) archives.push(await describeStored(scope, store, each))
  }
  return archives
}

const head = ['PLACE', 'ARCHIVE', 'MIB', 'MADE AT', 'KIND', 'MATHESAR', 'POSTGRES', 'SECRETS']

const rowOf = (archive: Archive): string[] => {
  const { place, name, bytes, at, kind, mathesar, postgres, isEncrypted, hasSecrets, problem } = archive
  const start = [place, name, (bytes / MiB).toFixed(1)]
  if (problem !== null) return [...start, '', problem]
  const secrets = isEncrypted ? 'encrypted' : `with${hasSecrets === true ? '' : 'out'} secrets`
  return [...start, at ?? '', kind ?? '', mathesar ?? '', postgres ?? '', secrets]
}

/** Lists what each place has, the newest first. */
export const list = async (scope: OperationScope, isJson: boolean, place?: string): Promise<number> => {
  const stores = place === undefined ? openStores(scope) : [openNamedStore(scope, place)]
  const archives = await listArchives(scope, stores)
  if (isJson) process.stdout.write(`${JSON.stringify(archives)}\n`)
  else if (archives.length > 0) process.stdout.write(`${renderTable([head, ...archives.map(rowOf)])}\n`)
  return 0
}

/** Prints what an archive says of itself. */
export const show = async (scope: OperationScope, argument: string): Promise<number> => {
  const { bytes } = await openSource(scope, argument)
  const { description, entries } = await openArchive(scope.system, bytes, keyOf(scope))
  await entries.return(undefined)
  process.stdout.write(`${JSON.stringify(description, null, 2)}\n`)
  return 0
}

/** Proves an archive, and notes that where it is one of a place. */
export const verify = async (scope: OperationScope, argument: string, isQuick: boolean): Promise<number> => {
  const { clock } = scope.system
  const { name, bytes } = await openSource(scope, argument)
  const archive = await openArchive(scope.system, bytes, keyOf(scope))
  const progress = createProgress(clock)
  if (isQuick || archive.description.kind === 'portable') {
    const inIt = await checkArchive(archive)
    process.stdout.write(`every checksum is right; ${(inIt / MiB).toFixed(1)} MiB are in it\n`)
    return 0
  }
  let read = 0
  const { databases, tables, rows, restoreMs } = await prove(scope, archive, (more) => {
    read += more
    progress.report(read, archive.description.databaseBytes)
  })
  const tookMs = progress.end()
  if (name !== undefined) changeRecord(scope, () => ({ proved: { name, atMs: clock.now(), restoreMs } }))
  process.stdout.write(
    `proved in ${(tookMs / 1000).toFixed(1)} s: it restores in ${(restoreMs / 1000).toFixed(1)} s, every ` +
      `page and index is sound (pg_verifybackup, amcheck), Mathesar reads it, and it has ${rows} rows in ` +
      `${tables} tables of ${databases} databases\n`,
  )
  return 0
}
