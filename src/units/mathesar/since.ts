import { MiB } from '../../core/amounts.ts'
import { firstFew, printable } from '../../core/message.ts'
import type { Client } from '../../system/ports.ts'
import { quoteName } from '../postgres/quoting.ts'

/**
 * What was added to an internal database since it was copied: before the copy takes its place again. Both are
 * asked as Mathesar's own role, for what is in them may be anybody's, and within limits: what is left out is
 * still in the database that is put aside.
 */

type Table = {
  readonly name: string
  /** Quoted, in the order of their names. Those of the primary key apart. */
  readonly columns: readonly string[]
  readonly key: readonly string[] | null
}

/** Of one row: its key, and a digest of the columns that are compared. */
type RowDigest = { readonly key: string; readonly digest: string }

type Row = {
  readonly change: 'added' | 'changed'
  readonly key: string
  /** As JSON; `null` for one that is too large. */
  readonly data: string | null
}

/** What is another in one table. */
export type Since = {
  readonly table: string
  readonly rows: readonly Row[]
  /** How many were deleted since; going back brings them again. */
  readonly deleted: number
  /** How many are left out. */
  readonly more: number
}

/** What Django itself fills, and what logs people in. */
const unasked = ['django_migrations', 'django_session', 'django_content_type', 'auth_permission']
/** What changes by itself. */
const uncompared = ['last_login', 'updated_at', 'last_confirmed_sql_version']

const rowLimit = 50_000
const rowBytes = 256 * 1024
const batchSize = 20
/** Of all that is kept as data. */
const totalLimit = 8 * MiB

const readTables = async (client: Client): Promise<readonly Table[]> => {
  const { rows } = await client.query<Table>(
    `SELECT relname::text AS name,
        pg_catalog.array_agg(pg_catalog.quote_ident(attname) ORDER BY attname) AS columns,
        (SELECT pg_catalog.array_agg(pg_catalog.quote_ident(part.attname) ORDER BY part.attnum)
          FROM pg_catalog.pg_index JOIN pg_catalog.pg_attribute AS part
            ON part.attrelid = indrelid AND part.attnum = ANY (indkey)
          WHERE indrelid = pg_class.oid AND indisprimary) AS key
      FROM pg_catalog.pg_class JOIN pg_catalog.pg_attribute ON attrelid = pg_class.oid
      WHERE relkind = 'r' AND relnamespace = pg_catalog.to_regnamespace(pg_catalog.current_schema())
        AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND relname <> ALL ($1)
      GROUP BY pg_class.oid, relname ORDER BY relname LIMIT 500`,
    [unasked],
  )
  return rows
}

const keyOf = ({ key }: Table): string => `pg_catalog.left(ROW(${(key ?? []).join(', ')})::text, 200)`

/** The keys and digests of a table; `undefined` for one that has too many rows. */
const readDigests = async (
  client: Client,
  table: Table,
  columns: readonly string[],
): Promise<readonly RowDigest[] | undefined> => {
  const { rows } = await client.query<RowDigest>(
    `SELECT ${keyOf(table)} AS key, pg_catalog.md5(ROW(${columns.join(', ')})::text) AS digest
      FROM ${quoteName(table.name)} LIMIT ${rowLimit + 1}`,
  )
  return rows.length > rowLimit ? undefined : rows
}

/** Which rows are new, which are another, and how many are gone. */
export const compareRows = (
  before: readonly RowDigest[],
  now: readonly RowDigest[],
): { readonly added: string[]; readonly changed: string[]; readonly deleted: number } => {
  const old = new Map(before.map(({ key, digest }) => [key, digest]))
  const keys = new Set(now.map(({ key }) => key))
  return {
    added: now.flatMap(({ key }) => (old.has(key) ? [] : [key])),
    changed: now.flatMap(({ key, digest }) => ((old.get(key) ?? digest) === digest ? [] : [key])),
    deleted: before.filter(({ key }) => !keys.has(key)).length,
  }
}

type Budget = { bytes: number }

/** The rows as data, as far as there is room. */
const readRows = async (
  client: Client,
  table: Table,
  wanted: readonly Pick<Row, 'change' | 'key'>[],
  budget: Budget,
): Promise<Row[]> => {
  const found: Row[] = []
  for (let at = 0; at < wanted.length && budget.bytes > 0; at += batchSize) {
    const batch = wanted.slice(at, at + batchSize)
    const { rows } = await client.query<{ key: string; data: string | null }>(
      `SELECT key, CASE WHEN pg_catalog.octet_length(data) <= ${rowBytes} THEN data END AS data
        FROM (SELECT ${keyOf(table)} AS key, pg_catalog.row_to_json(whole.*)::text AS data
          FROM ${quoteName(table.name)} AS whole WHERE ${keyOf(table)} = ANY ($1)) AS found
        LIMIT ${batchSize}`,
      [batch.map(({ key }) => key)],
    )
    const dataOf = new Map(rows.map(({ key, data }) => [key, data]))
    for (const { change, key } of batch) found.push({ change, key, data: dataOf.get(key) ?? null })
    budget.bytes -= rows.reduce((sum, { data }) => sum + (data?.length ?? 0), 0)
  }
  return found
}

/** What is in the database of `now` and not, or not so, in that of `before`. */
export const readSince = async (before: Client, now: Client): Promise<readonly Since[]> => {
  for (const client of [before, now]) await client.query("SET statement_timeout = '10s'")
  const old = new Map((await readTables(before)).map((table) => [table.name, table]))
  const budget: Budget = { bytes: totalLimit }
  const found: Since[] = []
  for (const table of await readTables(now)) {
    if (table.key === null) continue
    const known = old.get(table.name)
    const columns = table.columns.filter(
      (name) => !uncompared.includes(name) && (known?.columns.includes(name) ?? true),
    )
    const rows = await readDigests(now, table, columns)
    const rowsBefore = known === undefined ? [] : await readDigests(before, table, columns)
    if (rows === undefined || rowsBefore === undefined) {
      found.push({ table: table.name, rows: [], deleted: 0, more: rowLimit })
      continue
    }
    const { added, changed, deleted } = compareRows(rowsBefore, rows)
    const wanted = [
      ...added.map((key) => ({ change: 'added' as const, key })),
      ...changed.map((key) => ({ change: 'changed' as const, key })),
    ]
    if (wanted.length === 0 && deleted === 0) continue
    const kept = await readRows(now, table, wanted, budget)
    found.push({ table: table.name, rows: kept, deleted, more: wanted.length - kept.length })
  }
  return found
}

/** A row a line, for programs. */
export const asData = (since: readonly Since[]): string =>
  since
    .flatMap(({ table, rows }) =>
      rows.map(
        ({ change, data }) =>
          `{"table":${JSON.stringify(table)},"change":"${change}","row":${data ?? 'null'}}\n`,
      ),
    )
    .join('')

/** What people call what Mathesar keeps in a table. */
const words: Readonly<Record<string, string>> = {
  mathesar_user: 'users',
  mathesar_explorations: 'explorations',
  mathesar_form: 'forms',
  mathesar_formfield: 'fields of forms',
  mathesar_tablemetadata: 'settings of tables',
  mathesar_columnmetadata: 'settings of columns',
  mathesar_configuredrole: 'stored roles',
  mathesar_userdatabaserolemap: 'who acts as which role',
  mathesar_server: 'servers',
  mathesar_database: 'databases',
  mathesar_datafile: 'uploaded files',
}

/** What names a row. All else may be a secret, such as the digest of a password. */
const naming = ['username', 'full_name', 'email', 'name', 'title', 'host', 'table_oid', 'attnum']

const nameOf = ({ key, data }: Row): string => {
  const row = JSON.parse(data ?? '{}') as Record<string, unknown>
  const names = naming.flatMap((name) => {
    const value = row[name]
    return (typeof value === 'string' && value !== '') || typeof value === 'number'
      ? [typeof value === 'string' ? value : `${name} ${value}`]
      : []
  })
  return printable([key, ...names].join(' ').replaceAll(/\s+/g, ' ')).slice(0, 200)
}

const listLimit = 1000

const inWords = ({ table, rows, deleted, more }: Since): string => {
  const count = (change: Row['change']): number => rows.filter((row) => row.change === change).length
  const counts = [
    ...(['added', 'changed'] as const).flatMap((change) =>
      count(change) > 0 ? [`${count(change)} ${change}`] : [],
    ),
    ...(deleted > 0 ? [`${deleted} deleted, which are there again`] : []),
    ...(more > 0 ? [`${more} or more that are not listed here`] : []),
  ]
  const lines = firstFew(rows, (row) => `${row.change.padEnd(7)} ${nameOf(row)}`, { limit: listLimit })
  return [
    `${words[table] ?? table}${words[table] === undefined ? '' : ` (${table})`}: ${counts.join(', ')}`,
    ...lines.map((line) => `  ${line}`),
  ].join('\n')
}

type About = {
  /** The Mathesar that is left, and the database that has all of it. */
  readonly version: string
  readonly database: string
  /** When the one that comes back was kept. */
  readonly at: string
  readonly dataFile: string
}

/** The same for people. Nothing of it is a secret. */
export const asText = (since: readonly Since[], { version, database, at, dataFile }: About): string =>
  [
    `What Mathesar ${version} has that was not there at ${at}, or was changed since,`,
    'by people or by the upgrade itself.',
    `The internal database of ${at} is in its place again, and lacks it. Rows of your own tables are not`,
    `meant: those stay. Everything is still in the database ${database};`,
    `${dataFile} has the rows as JSON, with what is secret in them.`,
    '',
    ...(since.length === 0 ? ['Nothing.'] : since.map((each) => `${inWords(each)}\n`)),
    '',
  ].join('\n')
