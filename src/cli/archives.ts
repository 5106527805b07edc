import { renderTable } from '../core/table.ts'
import { SupervisorError } from '../errors.ts'
import type { Bytes } from '../operations/archive/bytes.ts'
import type { Description } from '../operations/archive/description.ts'
import { checkArchive, openArchive } from '../operations/archive/read.ts'
import { keyOf } from '../operations/keys.ts'
import { findArchive, openNamedStore, openStores, type Store } from '../operations/places/store.ts'
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

const inWords = ({ kind, mathesar, postgres, hasSecrets }: Description, isLocked: boolean): string[] => [
  kind,
  mathesar ?? '',
  postgres ?? '',
  isLocked ? 'encrypted' : `with${hasSecrets ? '' : 'out'} secrets`,
]

const describeStored = async (scope: OperationScope, { read }: Store, name: string): Promise<string[]> => {
  try {
    const { description, isLocked, entries } = await openArchive(scope.system, read(name), keyOf(scope))
    await entries.return(undefined)
    return [description.at, ...inWords(description, isLocked)]
  } catch (error) {
    return ['', (error as Error).message]
  }
}

const head = ['PLACE', 'ARCHIVE', 'MIB', 'MADE AT', 'KIND', 'MATHESAR', 'POSTGRES', 'SECRETS']

/** Lists what each place has, the newest first. */
export const list = async (scope: OperationScope, place?: string): Promise<number> => {
  const stores = place === undefined ? openStores(scope) : [openNamedStore(scope, place)]
  const rows: string[][] = []
  for (const store of stores) {
    const archives = (await store.list()).toSorted((one, other) => (one.name < other.name ? 1 : -1))
    for (const { name, bytes } of archives) {
      const words = await describeStored(scope, store, name)
      rows.push([store.title, name, (bytes / MiB).toFixed(1), ...words])
    }
  }
  if (rows.length > 0) process.stdout.write(`${renderTable([head, ...rows])}\n`)
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
      `page and index is sound (pg_verifybackup, amcheck), and it has ${rows} rows in ${tables} tables ` +
      `of ${databases} databases\n`,
  )
  return 0
}
