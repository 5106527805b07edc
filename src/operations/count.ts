import { mayBeEntered } from '../units/postgres/connection.ts'
import type { OperationScope } from './scope.ts'
import { askBeside } from './server.ts'

/** What a database has. */
export type Count = { readonly database: string; readonly tables: number; readonly rows: number }

const tablesOfPeople = `pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
  WHERE relkind = 'r' AND nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%'`

/** A statement keeps the locks of all tables that it reads, and a server has room for some thousand. */
const tablesOfStatement = 500

/** Each table is counted by a query of its own: there is no plan for so many at once. */
const countPart = (parts: number, part: number): string => `
  WITH numbered AS (
    SELECT nspname, relname, row_number() OVER (ORDER BY pg_class.oid) AS number FROM ${tablesOfPeople}),
  counted AS (
    SELECT query_to_xml(format('SELECT count(*) AS n FROM %I.%I', nspname, relname), false, true, '') AS xml
      FROM numbered WHERE number % ${parts} = ${part})
  SELECT coalesce(sum((xpath('/row/n/text()', xml))[1]::text::float8), 0) AS rows FROM counted`

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
    const [found] = await ask<{ tables: number }>(
      name,
      `SELECT count(*)::float8 AS tables FROM ${tablesOfPeople}`,
    )
    const tables = found?.tables ?? 0
    const parts = Math.max(1, Math.ceil(tables / tablesOfStatement))
    let rows = 0
    for (let part = 0; part < parts; part++)
      rows += (await ask<{ rows: number }>(name, countPart(parts, part)))[0]?.rows ?? 0
    counts.push({ database: name, tables, rows })
  }
  return counts
}
