import { folderOf, readJournal, tidy } from '../units/swap.ts'
import { requireFit } from './archive/description.ts'
import type { Archive } from './archive/read.ts'
import { makeRestoreFolder, requireRoom } from './incoming.ts'
import { runToEnd } from './programs.ts'
import { fitnessOf } from './restore.ts'
import { lockOperations, type OperationScope } from './scope.ts'
import { asUser, programsConnectTo, withSideServer } from './server.ts'
import { stage } from './stage.ts'

/** What a proof counted. `restoreMs`: from the archive to a server that answers. */
export type Proof = {
  readonly databases: number
  readonly tables: number
  readonly rows: number
  readonly restoreMs: number
}

const superuser = 'postgres'

/** Every page of every table, and every index against its table. */
const checkPages = (scope: OperationScope, folder: string): Promise<void> =>
  runToEnd(scope, {
    what: 'use this archive',
    command: {
      argv: ['pg_amcheck', '--all', '--install-missing', '--heapallindexed', '--no-password'],
      env: programsConnectTo(scope, folder, superuser),
      user: scope.place.identities.postgres,
      cwd: '/',
    },
    code: 'BACKUP_DAMAGED',
  })

/** Each table is counted by a query of its own, in one statement: there is no plan for 10,000 at once. */
const countInDatabase = `
  WITH counted AS (
    SELECT query_to_xml(format('SELECT count(*) AS n FROM %I.%I', nspname, relname), false, true, '') AS xml
      FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
      WHERE relkind = 'r' AND nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%')
  SELECT count(*)::float8 AS tables,
      coalesce(sum((xpath('/row/n/text()', xml))[1]::text::float8), 0) AS rows
    FROM counted`

const countRows = async (scope: OperationScope, folder: string): Promise<Omit<Proof, 'restoreMs'>> => {
  const ask = <Row extends Record<string, unknown>>(database: string, sql: string): Promise<Row[]> =>
    asUser(scope, folder, [superuser, database], async (client) => (await client.query<Row>(sql)).rows)
  const databases = await ask<{ name: string }>(
    'template1',
    'SELECT datname AS name FROM pg_database WHERE datallowconn AND NOT datistemplate',
  )
  const proof = { databases: databases.length, tables: 0, rows: 0 }
  for (const { name } of databases) {
    const [counted] = await ask<{ tables: number; rows: number }>(name, countInDatabase)
    proof.tables += counted?.tables ?? 0
    proof.rows += counted?.rows ?? 0
  }
  return proof
}

/** Restores an archive into a scratch folder, and has a server of its own prove that it is whole. */
export const prove = async (
  scope: OperationScope,
  archive: Archive,
  onProgress: (bytes: number) => void,
): Promise<Proof> => {
  const { system, place } = scope
  lockOperations(scope)
  requireFit(archive.description, fitnessOf(scope))
  const journal = readJournal({ files: system.files, paths: place.paths })
  makeRestoreFolder(scope)
  tidy(
    { files: system.files, paths: place.paths },
    journal === undefined ? [] : [journal.incoming, journal.outgoing],
  )
  requireRoom(scope, archive.description.databaseBytes)
  const beganMs = system.clock.now()
  const folder = folderOf(place.paths, `verify-${system.randomText(8)}`)
  try {
    await stage(scope, archive, folder, onProgress)
    const what = { what: 'use this archive', code: 'BACKUP_DAMAGED' } as const
    return await withSideServer(scope, { folder, ...what, isKept: false, user: superuser }, async () => {
      const restoreMs = system.clock.now() - beganMs
      await checkPages(scope, folder)
      return { ...(await countRows(scope, folder)), restoreMs }
    })
  } finally {
    system.files.remove(folder)
  }
}
