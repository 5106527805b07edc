import { inWords } from '../../core/outcome.ts'
import { SupervisorError } from '../../errors.ts'
import type { Client, ProgramResult } from '../../system/ports.ts'
import { inVolume } from '../../units/place.ts'
import { mayBeEntered } from '../../units/postgres/connection.ts'
import { codeOf, isBroken } from '../../units/postgres/failures.ts'
import { asPostgres } from '../../units/postgres/programs.ts'
import { namesOf } from '../../units/postgres/rows.ts'
import { folderOf } from '../../units/swap.ts'
import { makeRestoreFolder, makeRoom } from '../incoming.ts'
import { runToEnd } from '../programs.ts'
import { lockOperations, type OperationScope } from '../scope.ts'
import { asUser, createRole, programsConnectTo, withSideServer } from '../server.ts'
import { makeOwnFolder } from '../stage.ts'
import { copyWhatCanBeRead } from './copy.ts'
import { type Cluster, findAll, lookAt, requireOne, requireOurMajor } from './found.ts'

/**
 * The theory of a salvage.
 *
 * A cluster that does not open may still have nearly all of its rows. So a copy of it is made to open, by
 * what would ruin the original: a log that cannot be replayed is thrown away, and pages that cannot be read
 * count as empty. Then each table is dumped by itself, so that one that is lost takes no other along. What
 * comes out are dumps, to be looked at and loaded; the numbers by which Mathesar keys things are in none.
 */
type SalvageOptions = {
  /** The folder with the cluster; `undefined` for that of the volume. */
  readonly folder: string | undefined
  /** Where the dumps go. */
  readonly to: string
  readonly onStep: (what: string) => void
}

/** What came of a table, or of all definitions of a database. */
export type Piece = {
  readonly database: string
  readonly name: string
  readonly file: string
  /** Pages of it that could not be read. */
  readonly lostPages: number
  /** Why nothing of it was saved; `undefined` where it was. */
  readonly failure: string | undefined
}

export type Salvaged = {
  readonly from: string
  /** Whether the log of the last changes was thrown away. */
  readonly isLogLost: boolean
  readonly pieces: readonly Piece[]
}

const role = 'supervisor_salvage'
const side = { what: 'salvage the cluster', code: 'CLUSTER_DAMAGED', isKept: false, user: role } as const

const findSource = async (scope: OperationScope, folder: string | undefined): Promise<Cluster> => {
  if (folder !== undefined) return requireOne(scope, await findAll(scope, folder))
  const { cluster } = inVolume(scope.place.paths)
  if (scope.system.files.isThere(`${cluster}/global`)) return await lookAt(scope, cluster)
  throw new SupervisorError('RESCUE_REFUSED', `cannot salvage: there is no cluster in ${cluster}`)
}

const resetLog = (scope: OperationScope, folder: string): Promise<void> =>
  runToEnd(scope, {
    what: 'throw away the log of the copy',
    command: asPostgres(scope.place, ['pg_resetwal', '--force', `${folder}/postgres`]),
    code: 'CLUSTER_DAMAGED',
  })

/** Makes the copy open. Returns whether its log had to go for that. */
const open = async (scope: OperationScope, folder: string): Promise<boolean> => {
  try {
    await createRole(scope, folder, role)
    return false
  } catch (error) {
    if (!(error instanceof SupervisorError)) throw error
    scope.system.files.remove(`${folder}/postgres/postmaster.pid`) // That one died.
    await resetLog(scope, folder)
    await createRole(scope, folder, role)
    return true
  }
}

type Table = { readonly name: string; readonly pattern: string }

const listTables = async (client: Client): Promise<readonly Table[]> =>
  (
    await client.query<Table>(
      `SELECT format('%s.%s', nspname, relname) AS name, format('%I.%I', nspname, relname) AS pattern
        FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE relkind IN ('r', 'm') AND relpersistence = 'p' AND nspname <> 'information_schema'
          AND nspname !~ '^pg_' ORDER BY 1`,
    )
  ).rows

const listDatabases = (client: Client): Promise<readonly string[]> =>
  namesOf(
    client,
    `SELECT datname AS name FROM pg_database WHERE ${mayBeEntered} AND NOT datistemplate ORDER BY 1`,
  )

/** What `pg_dump` says when its connection was cut, by what it reads or by what was read before. */
const cutOff = / FATAL: |server closed the connection|could not receive data from server/

const reasonOf = ({ outcome, lines }: ProgramResult): string =>
  lines.find((line) => / ERROR: /.test(line) || cutOff.test(line)) ??
  lines.at(-1) ??
  `pg_dump ${inWords(outcome)}`

/** Checksums that failed so far. `pg_dump` says nothing of pages that count as empty. */
const countFailures = async (client: Client): Promise<number> => {
  const { rows } = await client.query<{ count: number }>(
    `SELECT coalesce(checksum_failures, 0)::float8 AS count FROM pg_stat_database
      WHERE datname = current_database()`,
  )
  return rows[0]?.count ?? 0
}

/** A server that is gone has no socket; and what took too long (57014) would do so again. */
const lasting = ['ENOENT', 'ECONNREFUSED', '57014']

/**
 * A backend that dies takes the connections of all along, and has the server recover, which refuses everybody
 * meanwhile.
 */
const isCutOff = (error: unknown): boolean => isBroken(error) && !lasting.includes(codeOf(error))
const recoveryMs = 10 * 60_000

const ask = <T>(
  scope: OperationScope,
  folder: string,
  database: string,
  use: (client: Client) => Promise<T>,
): Promise<T> =>
  scope.system.retry(() => asUser(scope, folder, [role, database], use), {
    forMs: recoveryMs,
    isWorthIt: isCutOff,
  })

type Copy = {
  readonly scope: OperationScope
  readonly folder: string
  /** Pages that counted as empty so far, by the log of the server: also those that have no checksums. */
  readonly emptied: () => number
}

/** Dumps into a file what the options name. A file that is not whole is not kept. */
const tryDump = async (
  { scope, folder, emptied }: Copy,
  database: string,
  file: string,
  options: readonly string[],
): Promise<Pick<Piece, 'lostPages' | 'failure'>> => {
  const count = async () => ({
    failed: await ask(scope, folder, database, countFailures),
    emptied: emptied(),
  })
  const before = await count()
  const upload = await scope.system.createFile(file)
  try {
    const argv = ['pg_dump', '--no-password', '--no-owner', ...options] as const
    const env = { ...programsConnectTo(scope, folder, role), PGDATABASE: database }
    await using output = scope.system.streamProgram(asPostgres(scope.place, argv, env))
    let next = await output.next()
    for (; next.done !== true; next = await output.next()) await upload.write(next.value)
    const after = await count()
    // The server counts from 0 again after a recovery.
    const lostPages = Math.max(0, after.failed - before.failed, after.emptied - before.emptied)
    if (next.value.outcome.code !== 0) {
      await upload.abort()
      return { lostPages, failure: reasonOf(next.value) }
    }
    await upload.finish()
    return { lostPages, failure: undefined }
  } catch (error) {
    await upload.abort()
    throw error
  }
}

/** Whatever else kills a backend is over at the second try; a table that does kills that one, too. */
const dump = async (...what: Parameters<typeof tryDump>): ReturnType<typeof tryDump> => {
  const first = await tryDump(...what)
  return cutOff.test(first.failure ?? '') ? await tryDump(...what) : first
}

const salvageDatabase = async (
  copy: Copy,
  [database, to]: readonly [string, string],
): Promise<readonly Piece[]> => {
  const { scope, folder } = copy
  const pieces: Piece[] = []
  const save = async (name: string, file: string, options: readonly string[]): Promise<void> => {
    pieces.push({ database, name, file, ...(await dump(copy, database, file, options)) })
  }
  scope.system.files.makeFolder(to, 0o700)
  try {
    await save('all definitions', `${to}/schema.sql`, ['--schema-only'])
    const tables = await ask(scope, folder, database, listTables)
    for (const [index, { name, pattern }] of tables.entries())
      await save(name, `${to}/${index + 1}.sql`, ['--data-only', `--table=${pattern}`])
  } catch (error) {
    const failure = (error as Error).message
    pieces.push({ database, name: 'the database', file: to, lostPages: 0, failure })
  }
  return pieces
}

/** Recovers what it can from a cluster that does not open, table by table, by way of a copy. */
export const salvage = async (
  scope: OperationScope,
  { folder: given, to, onStep }: SalvageOptions,
): Promise<Salvaged> => {
  const { system } = scope
  lockOperations(scope)
  const source = await findSource(scope, given)
  requireOurMajor(scope, source, 'salvage')
  makeRoom(scope, source.bytes)
  const from = source.folder
  makeRestoreFolder(scope)
  const folder = folderOf(scope, `salvage-${system.randomText(8)}`)
  makeOwnFolder(scope, folder, undefined, 0o711)
  try {
    onStep(`copying ${from}`)
    await copyWhatCanBeRead(scope, from, `${folder}/postgres`)
    onStep('opening the copy')
    const isLogLost = await open(scope, folder)
    const pieces: Piece[] = []
    let emptied = 0
    let rest = '' // Of a line that is not whole yet.
    const onSaid = (text: string): void => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      emptied += lines.filter((line) => line.includes('zeroing out')).length
    }
    const copy: Copy = { scope, folder, emptied: () => emptied }
    await withSideServer(scope, { ...side, folder, isDamaged: true, onSaid }, async () => {
      const names = await asUser(scope, folder, [role, 'template1'], listDatabases)
      for (const [index, name] of names.entries()) {
        onStep(`dumping database ${name}`)
        pieces.push(...(await salvageDatabase(copy, [name, `${to}/${index + 1}`])))
      }
    })
    return { from, isLogLost, pieces }
  } finally {
    system.files.remove(folder)
  }
}
