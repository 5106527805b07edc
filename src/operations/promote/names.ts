import type { Client } from '../../system/ports.ts'

/**
 * The numbers of a database by the names of what has them. A dump gives every table and schema another OID;
 * so the names of before and after say which became which.
 */
export type Table = {
  readonly schema: string
  readonly name: string
  readonly oid: number
  /** As `pg_class` has it: `r` is a table. */
  readonly kind: string
  /** By attnum, from 1 on; `null` for a column that was dropped, and still has its number. */
  readonly columns: readonly (string | null)[]
}

export type Names = {
  readonly schemas: readonly { readonly name: string; readonly oid: number }[]
  readonly tables: readonly Table[]
}

/** Schemas of people and of Mathesar. */
const isOwn = "nspname <> 'information_schema' AND nspname !~ '^pg_'"

/** A name in SQL, in quotes in any case: which ones need them is another question of each version. */
export const quoted = (column: string): string => `'"' || replace(${column}, '"', '""') || '"'`
export const quotedTable = `${quoted('nspname')} || '.' || ${quoted('relname')}`

/** What Mathesar may refer to: tables, views and the like. */
const hasColumns = "relkind IN ('r', 'p', 'v', 'm', 'f')"

/** Everything of the database of this session that has a number, in the snapshot of its transaction. */
export const readNames = async (client: Client): Promise<Names> => {
  const schemas = await client.query<Names['schemas'][number]>(
    `SELECT nspname AS name, oid::bigint::float8 AS oid FROM pg_catalog.pg_namespace WHERE ${isOwn}`,
  )
  const tables = await client.query<Table>(
    `SELECT nspname AS schema, relname AS name, c.oid::bigint::float8 AS oid, relkind AS kind,
        (SELECT coalesce(json_agg(CASE WHEN attisdropped THEN NULL ELSE attname END ORDER BY attnum), '[]')
          FROM pg_catalog.pg_attribute WHERE attrelid = c.oid AND attnum > 0) AS columns
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
      WHERE ${hasColumns} AND ${isOwn} ORDER BY 1, 2`,
  )
  return { schemas: schemas.rows, tables: tables.rows }
}

const keyOf = ({ schema, name }: Pick<Table, 'schema' | 'name'>): string => JSON.stringify([schema, name])

/** Tables whose columns have other numbers than before, or that are not there. */
export const differencesOf = (before: Names, after: Names): readonly string[] => {
  const now = new Map(after.tables.map((table) => [keyOf(table), JSON.stringify(table.columns)]))
  return before.tables
    .filter((table) => now.get(keyOf(table)) !== JSON.stringify(table.columns))
    .map(({ schema, name }) => `${schema}.${name}`)
}

/** Which OID became which: of tables and of schemas. */
export type OidMap = ReadonlyMap<number, number>
export type Numbers = { readonly tables: OidMap; readonly schemas: OidMap }

export const numbersOf = (before: Names, after: Names): Numbers => {
  const tables = new Map(after.tables.map((table) => [keyOf(table), table.oid]))
  const schemas = new Map(after.schemas.map(({ name, oid }) => [name, oid]))
  const pairs = (found: readonly (readonly [number, number | undefined])[]): OidMap =>
    new Map(found.filter((pair): pair is readonly [number, number] => pair[1] !== undefined))
  return {
    tables: pairs(before.tables.map((table) => [table.oid, tables.get(keyOf(table))])),
    schemas: pairs(before.schemas.map(({ name, oid }) => [oid, schemas.get(name)])),
  }
}
