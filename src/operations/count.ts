import { mayBeEntered } from '../units/postgres/connection.ts'
import type { OperationScope } from './scope.ts'
import { askBeside } from './server.ts'

/** What a database has. */
export type Count = { readonly database: string; readonly tables: number; readonly rows: number }

/** Each table is counted by a query of its own, in one statement: there is no plan for 10,000 at once. */
const countInDatabase = `
  WITH counted AS (
    SELECT query_to_xml(format('SELECT count(*) AS n FROM %I.%I', nspname, relname), false, true, '') AS xml
      FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
      WHERE relkind = 'r' AND nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%')
  SELECT count(*)::float8 AS tables,
      coalesce(sum((xpath('/row/n/text()', xml))[1]::text::float8), 0) AS rows
    FROM counted`

/** Counts the rows of each database of the server beside. */
export const countRows = async (scope: OperationScope, folder: string): Promise<readonly Count[]> => {
  const ask = <Row extends Record<string, unknown>>(database: string, sql: string): Promise<Row[]> =>
    askBeside(scope, folder, database, sql)
  const databases = await ask<{ name: string }>(
    'template1',
    `SELECT datname AS name FROM pg_database WHERE ${mayBeEntered} AND NOT datistemplate`,
  )
  const counts: Count[] = []
  for (const { name } of databases) {
    const [counted] = await ask<{ tables: number; rows: number }>(name, countInDatabase)
    if (counted !== undefined) counts.push({ database: name, ...counted })
  }
  return counts
}
