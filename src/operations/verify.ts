import type { ClientConfig } from 'pg'
import { inWords } from '../core/outcome.ts'
import { SupervisorError } from '../errors.ts'
import type { RunningProcess } from '../system/process.ts'
import { superuserStart } from '../units/postgres/connection.ts'
import { postgresEnvironment } from '../units/postgres/programs.ts'
import { folderOf, readJournal, tidy } from '../units/swap.ts'
import { requireFit } from './archive/description.ts'
import type { Archive } from './archive/read.ts'
import { runToEnd } from './programs.ts'
import { makeRestoreFolder } from './incoming.ts'
import { fitnessOf } from './restore.ts'
import { lockOperations, type OperationScope } from './scope.ts'
import { makeOwnFolder, stage } from './stage.ts'

/** What a proof counted. */
export type Proof = { readonly databases: number; readonly tables: number; readonly rows: number }

/** A cluster with much WAL to replay takes its time. */
const startLimitMs = 10 * 60_000

/** In the folder of a scratch state: `postgres` is the cluster, `socket` is closed to everybody else. */
const socketIn = (folder: string): string => `${folder}/socket`

/** Who owns a database could else have our queries call functions of theirs, as superuser. */
const sessionStart = `${superuserStart} -c role=none`

const connectTo = (folder: string, database: string): ClientConfig => ({
  host: socketIn(folder),
  port: 5432,
  user: 'postgres',
  database,
  ssl: false,
  query_timeout: 0,
  options: sessionStart,
})

/** A small server for one cluster, reached through its socket alone, by whoever may enter that folder. */
const startServer = (scope: OperationScope, folder: string): RunningProcess => {
  const { system, place } = scope
  const { postgres } = place.identities
  makeOwnFolder(scope, socketIn(folder), postgres, 0o700)
  system.files.writeWhole(`${folder}/pg_hba.conf`, 'local all all trust\n', 0o644)
  const parameters = {
    hba_file: `${folder}/pg_hba.conf`,
    unix_socket_directories: socketIn(folder),
    listen_addresses: '',
    shared_buffers: '32MB',
    max_connections: '10',
    jit: 'off',
    fsync: 'off', // It is thrown away.
  }
  const options = Object.entries(parameters).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  return system.startProcess(
    {
      argv: [`${place.paths.postgresBin}/postgres`, '-D', `${folder}/postgres`, ...options],
      env: postgresEnvironment(place),
      user: postgres,
      cwd: '/',
    },
    { write: () => undefined, flush: () => {} },
  )
}

const waitUntilReady = async (
  scope: OperationScope,
  folder: string,
  server: RunningProcess,
): Promise<void> => {
  const gone = new AbortController()
  void server.ended.then((outcome) => {
    const why = `cannot use this archive: its cluster does not start: Postgres ${inWords(outcome)}`
    gone.abort(new SupervisorError('BACKUP_DAMAGED', why))
  })
  await scope.system.retry(
    () => scope.system.withClient([connectTo(folder, 'template1')], (client) => client.query('SELECT 1')),
    { forMs: startLimitMs, signal: gone.signal, isWorthIt: () => true, onFailure: () => {} },
  )
}

/** Every page of every table, and every index against its table. */
const checkPages = (scope: OperationScope, folder: string): Promise<void> =>
  runToEnd(scope, {
    what: 'use this archive',
    command: {
      argv: ['pg_amcheck', '--all', '--install-missing', '--heapallindexed', '--no-password'],
      env: {
        ...postgresEnvironment(scope.place),
        PGHOST: socketIn(folder),
        PGUSER: 'postgres',
        PGOPTIONS: sessionStart,
      },
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

const countRows = async (scope: OperationScope, folder: string): Promise<Proof> => {
  const ask = <Row extends Record<string, unknown>>(database: string, sql: string): Promise<Row[]> =>
    scope.system.withClient(
      [connectTo(folder, database)],
      async (client) => (await client.query<Row>(sql)).rows,
    )
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
  const folder = folderOf(place.paths, `verify-${system.randomText(8)}`)
  try {
    await stage(scope, archive, folder, onProgress)
    const server = startServer(scope, folder)
    try {
      await waitUntilReady(scope, folder, server)
      await checkPages(scope, folder)
      return await countRows(scope, folder)
    } finally {
      server.signal('SIGQUIT')
      await server.ended
    }
  } finally {
    system.files.remove(folder)
  }
}
