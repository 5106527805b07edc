import type { Client } from '../../system/ports.ts'

/**
 * What Mathesar keys by the OID of a schema, and how it goes over to another major version of Postgres.
 * `pg_upgrade` keeps the OIDs of databases, roles and tables and the numbers of columns, but not those of
 * schemas: explorations and forms name theirs. So the map is taken by name, before and after.
 */
type Schemas = Readonly<Record<string, number>>

/** The schemas of the database of this session. Those of Postgres itself keep their OIDs. */
export const readSchemas = async (client: Client): Promise<Schemas> => {
  const { rows } = await client.query<{ name: string; oid: number }>(
    'SELECT nspname AS name, oid::bigint::float8 AS oid FROM pg_namespace WHERE oid >= 16384',
  )
  return Object.fromEntries(rows.map(({ name, oid }) => [name, oid]))
}

/** Which OID became which; those that stayed are left out. */
export const changesOf = (before: Schemas, after: Schemas): readonly (readonly [number, number])[] =>
  Object.entries(before).flatMap(([name, oid]) => {
    const now = after[name]
    return now === undefined || now === oid ? [] : [[oid, now] as const]
  })

/** Mathesar's tables that name a schema. */
const tables = ['mathesar_explorations', 'mathesar_form']

const hasColumn = async (client: Client, table: string): Promise<boolean> => {
  const { rowCount } = await client.query(
    `SELECT FROM pg_attribute
      WHERE attrelid = to_regclass($1) AND attname = 'schema_oid' AND NOT attisdropped`,
    [`public.${table}`],
  )
  return rowCount === 1
}

/** Each table in one statement: one schema may have the OID that another one had. */
export const translateSchemas = async (
  client: Client,
  socket: string,
  database: string,
  changes: ReturnType<typeof changesOf>,
): Promise<number> => {
  let count = 0
  for (const table of tables) {
    if (changes.length === 0 || !(await hasColumn(client, table))) continue
    const { rowCount } = await client.query(
      `UPDATE public.${table} AS kept SET schema_oid = map.now
        FROM unnest($1::bigint[], $2::bigint[]) AS map (before, now)
        WHERE kept.schema_oid = map.before AND kept.database_id IN (
          SELECT held.id FROM public.mathesar_database AS held
            JOIN public.mathesar_server AS server ON server.id = held.server_id
            WHERE held.name = $3 AND server.host = $4)`,
      [changes.map(([before]) => before), changes.map(([, now]) => now), database, socket],
    )
    count += rowCount ?? 0
  }
  return count
}
