import type { Client } from '../../system/ports.ts'
import type { Copied } from '../../units/promotion.ts'
import type { DatabaseUrl } from '../../settings/database-url.ts'
import { quoteText } from '../../units/postgres/quoting.ts'
import { load, outputFrom } from './dump.ts'
import type { Frozen } from './freeze.ts'
import { quoted, quotedTable } from './names.ts'
import { inSource, type MoveScope } from './source.ts'

/**
 * The theory of what was written since the copy.
 *
 * Postgres changes no row in place: it makes another one, which carries the number of its transaction
 * (xmin), and writes into the one before who has ended it (xmax). The copy is of a snapshot that is still
 * held, so nothing of that is cleaned away. What is gone since is among what the snapshot sees with an
 * xmax; what came is among what is there now with an xmin, in both cases of a transaction that the snapshot
 * may not see. Both are taken too widely (a row that was only locked has an xmax, too), so all of these rows
 * are taken out of the copy, and what is there now is put in. Nobody else can lock a row meanwhile: what has
 * an xmax then has it now.
 *
 * A row is found by its primary key. A table without one that was written to is copied again as a whole,
 * and so is one whose file is another: there was a TRUNCATE, or all of it was rewritten, or another table has
 * its name now.
 */
export type Table = {
  readonly oid: string
  readonly file: string
  /** Quoted, as are the columns. */
  readonly name: string
  readonly columns: readonly string[]
  readonly key: readonly string[]
}

/** What an extension has made comes with it. Columns that are generated are made there. */
const tablesQuery = `
  SELECT c.oid::text AS oid, relfilenode::text AS file, ${quotedTable} AS name,
      (SELECT coalesce(json_agg(${quoted('attname')} ORDER BY attnum), '[]') FROM pg_attribute
        WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '') AS columns,
      (SELECT coalesce(json_agg(${quoted('attname')}), '[]') FROM pg_index, pg_attribute
        WHERE indrelid = c.oid AND indisprimary AND attrelid = c.oid
          AND attnum = ANY((string_to_array(indkey::text, ' ')::int2[])[1:indnkeyatts])) AS key
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind = 'r' AND relpersistence <> 't' AND nspname <> 'information_schema' AND nspname !~ '^pg_'
      AND NOT EXISTS (SELECT FROM pg_depend
        WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')`

export const readTables = async (client: Client): Promise<readonly Table[]> =>
  (await client.query<Table>(tablesQuery)).rows

/** Tells its rows from those of any other table, whatever name that has since. */
export const fileOf = ({ oid, file }: Table): string => `${oid} ${file}`

/** Whether it is of a transaction that may not have ended when the copy was made. */
const isLater = (column: 'xmin' | 'xmax', { oldest }: Copied): string =>
  `age(${column}) <= age(${quoteText(oldest)}::xid)`

/** An xmax may also be the number of several transactions (a multixact), which are counted apart. */
const isGone = (copied: Copied): string => `xmax <> 0 AND (${isLater('xmax', copied)} OR mxid_age(xmax) > 0)`

/** Rows that have come, or were only locked. */
const hasCome = (copied: Copied): string => `${isLater('xmin', copied)} OR ${isGone(copied)}`

type Seen = { readonly name: string; readonly rows: string; readonly found: string }

/** How many rows each table has, and how many of them are like that. In one answer, however many tables. */
const look = async (client: Client, names: readonly string[], like: string): Promise<readonly Seen[]> => {
  const { rows } = await client.query<Seen>(
    `SELECT name, (xpath('/row/rows/text()', seen))[1]::text AS rows,
        (xpath('/row/found/text()', seen))[1]::text AS found
      FROM unnest($1::text[]) AS name, query_to_xml('SELECT count(*) AS rows, count(*) FILTER (WHERE '
        || $2 || ') AS found FROM ONLY ' || name, false, true, '') AS seen`,
    [names, like],
  )
  return rows
}

const asThen = ({ snapshot }: Copied): readonly string[] => [
  'BEGIN ISOLATION LEVEL REPEATABLE READ',
  `SET TRANSACTION SNAPSHOT ${quoteText(snapshot)}`,
]

const goneIn = (scope: MoveScope, copied: Copied, names: readonly string[]): Promise<readonly Seen[]> =>
  inSource(scope, copied.name, async (client) => {
    for (const command of asThen(copied)) await client.query(command)
    return await look(client, names, isGone(copied))
  })

type Script = { readonly scope: MoveScope; readonly copied: Copied }

async function* own(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const chunk of bytes) yield Buffer.from(chunk) // Its memory is used again.
}

const list = (names: readonly string[]): string => names.join(', ')

async function* rowsAgain({ scope, copied }: Script, table: Table): AsyncGenerator<Buffer> {
  const { name, columns, key } = table
  const select = (what: readonly string[], where: string): string =>
    `COPY (SELECT ${list(what)} FROM ONLY ${name} WHERE ${where}) TO STDOUT`
  yield Buffer.from(`BEGIN;
CREATE TEMPORARY TABLE gone ON COMMIT DROP AS SELECT ${list(key)} FROM ONLY ${name} WITH NO DATA;
CREATE TEMPORARY TABLE came ON COMMIT DROP AS SELECT ${list(columns)} FROM ONLY ${name} WITH NO DATA;
COPY pg_temp.gone FROM STDIN;
`)
  yield* own(outputFrom(scope, copied.name, [...asThen(copied), select(key, isGone(copied))]))
  yield Buffer.from('\\.\nCOPY pg_temp.came FROM STDIN;\n')
  yield* own(outputFrom(scope, copied.name, [select(columns, hasCome(copied))]))
  yield Buffer.from(`\\.
INSERT INTO pg_temp.gone SELECT ${list(key)} FROM pg_temp.came;
ANALYZE pg_temp.gone;
DELETE FROM ONLY ${name} AS kept USING pg_temp.gone
  WHERE ${key.map((column) => `kept.${column} = gone.${column}`).join(' AND ')};
INSERT INTO ${name} (${list(columns)}) OVERRIDING SYSTEM VALUE SELECT ${list(columns)} FROM pg_temp.came;
COMMIT;
`)
}

async function* wholeAgain({ scope, copied }: Script, { name, columns }: Table): AsyncGenerator<Buffer> {
  yield Buffer.from(`BEGIN;\nTRUNCATE ONLY ${name};\nCOPY ${name} (${list(columns)}) FROM STDIN;\n`)
  yield* own(outputFrom(scope, copied.name, [`COPY (SELECT ${list(columns)} FROM ONLY ${name}) TO STDOUT`]))
  yield Buffer.from('\\.\nCOMMIT;\n')
}

async function* scriptOf(
  script: Script,
  written: readonly { readonly table: Table; readonly isByKey: boolean }[],
  schemas: string,
): AsyncGenerator<Buffer> {
  // Operators of the keys' types are found there.
  yield Buffer.from(`SET client_encoding = 'UTF8';\nSET search_path = ${schemas};\n`)
  for (const { table, isByKey } of written)
    yield* isByKey ? rowsAgain(script, table) : wholeAgain(script, table)
}

/** Whether rows of it can be found again there. */
const hasKey = ({ key, columns }: Table): boolean =>
  key.length > 0 && key.every((column) => columns.includes(column))

const readSchemas = async (client: Client): Promise<string> =>
  (
    await client.query<{ schemas: string }>(
      "SELECT string_agg(DISTINCT quote_ident(nspname), ', ') AS schemas FROM pg_extension, pg_namespace n " +
        'WHERE n.oid = extnamespace',
    )
  ).rows[0]?.schemas ?? 'pg_catalog'

/**
 * Brings the copy of a frozen database to what is there now. Returns how many rows each table has.
 */
export const bringUpToDate = async (
  scope: MoveScope,
  url: DatabaseUrl,
  { client }: Frozen,
  copied: Copied,
): Promise<ReadonlyMap<string, string>> => {
  const tables = await readTables(client)
  const isSame = (table: Table): boolean => copied.files[table.name] === fileOf(table)
  const names = (some: readonly Table[]): readonly string[] => some.map(({ name }) => name)
  const [now, then] = await Promise.all([
    look(client, names(tables), hasCome(copied)),
    goneIn(scope, copied, names(tables.filter(isSame))),
  ])
  const found = new Set([...now, ...then].filter((seen) => seen.found !== '0').map(({ name }) => name))
  const written = tables
    .filter((table) => !isSame(table) || found.has(table.name))
    .map((table) => ({ table, isByKey: isSame(table) && hasKey(table) }))
  if (written.length > 0) {
    const script = scriptOf({ scope, copied }, written, await readSchemas(client))
    await load(scope, url, copied.name, script)
  }
  return new Map(now.map(({ name, rows }) => [name, rows]))
}
