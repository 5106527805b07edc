import type { Client } from '../../system/ports.ts'
import type { Names, Numbers } from './names.ts'
import type { Source } from './source.ts'
import { completed, fields, type Found, mapColumns, oidsIn } from './references.ts'
import { namesOf } from '../../units/postgres/rows.ts'

/** What Mathesar keeps of the databases of its own server, and how it comes to the numbers of another. */

/** A database that people connected, on the server that is left. */
type Connected = { readonly id: string; readonly name: string }

export const readConnected = async (
  client: Client,
  { host, port }: Pick<Source, 'host' | 'port'>,
): Promise<readonly Connected[]> => {
  const { rows } = await client.query<Connected>(
    `SELECT held.id::text AS id, held.name FROM public.mathesar_database AS held
        JOIN public.mathesar_server AS server ON server.id = held.server_id
      WHERE server.host = $1 AND coalesce(server.port, 5432) = $2 ORDER BY held.id`,
    [host, port],
  )
  return rows
}

/** Names of the roles that people have given Mathesar for that server. */
export const readConfigured = (
  client: Client,
  { host, port }: Pick<Source, 'host' | 'port'>,
): Promise<readonly string[]> =>
  namesOf(
    client,
    `SELECT DISTINCT role.name FROM public.mathesar_configuredrole AS role
        JOIN public.mathesar_server AS server ON server.id = role.server_id
      WHERE server.host = $1 AND coalesce(server.port, 5432) = $2`,
    [host, port],
  )

export const knowsServer = async (client: Client, host: string, port: number): Promise<boolean> =>
  (
    await client.query('SELECT FROM public.mathesar_server WHERE host = $1 AND coalesce(port, 5432) = $2', [
      host,
      port,
    ])
  ).rowCount !== 0

/** The columns of Mathesar's tables. */
export const readColumns = async (client: Client): Promise<readonly Found[]> => {
  const { rows } = await client.query<Found>(
    `SELECT relname || '.' || attname AS column, pg_catalog.format_type(atttypid, NULL) AS type
      FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class c ON c.oid = attrelid
      WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND starts_with(relname, 'mathesar_')
        AND attnum > 0 AND NOT attisdropped ORDER BY 1`,
  )
  return rows
}

/** How the rows of a table lead to their database. */
const databaseOf = (table: string): string =>
  table === 'mathesar_formfield'
    ? '(SELECT database_id FROM public.mathesar_form AS form WHERE form.id = kept.form_id)'
    : 'kept.database_id'

type Field = (typeof fields)[number]

const fieldsIn = async (client: Client): Promise<readonly Field[]> => {
  const there = new Set((await readColumns(client)).map(({ column }) => column))
  return fields.filter(({ table, column }) => there.has(`${table}.${column}`))
}

const readOids = async (client: Client, { table, column }: Field, id: string): Promise<readonly number[]> => {
  const { rows } = await client.query<{ oid: number }>(
    `SELECT DISTINCT ${column}::float8 AS oid FROM public.${table} AS kept
      WHERE ${databaseOf(table)} = $1 AND ${column} IS NOT NULL`,
    [id],
  )
  return rows.map(({ oid }) => oid)
}

type Exploration = { readonly id: string; readonly columns: unknown }

const readExplorations = async (client: Client, id: string): Promise<readonly Exploration[]> => {
  const there = (await readColumns(client)).some(
    ({ column }) => column === 'mathesar_explorations.initial_columns',
  )
  if (!there) return []
  const { rows } = await client.query<Exploration>(
    `SELECT id::text AS id, initial_columns AS columns FROM public.mathesar_explorations
      WHERE database_id = $1`,
    [id],
  )
  return rows
}

/** More than any OID, so that no row has for a moment the number that another one still has. */
const aside = 2 ** 33

/** In two statements: a number may be another row's until that has its own. */
const translateField = async (
  client: Client,
  { table, column, of }: Field,
  id: string,
  numbers: Numbers,
): Promise<void> => {
  const pairs = [...numbers[of]]
  await client.query(
    `UPDATE public.${table} AS kept SET ${column} = map.now + ${aside}
      FROM unnest($1::bigint[], $2::bigint[]) AS map (before, now)
      WHERE kept.${column} = map.before AND ${databaseOf(table)} = $3`,
    [pairs.map(([before]) => before), pairs.map(([, now]) => now), id],
  )
  await client.query(
    `UPDATE public.${table} AS kept SET ${column} = ${column} - ${aside}
      WHERE ${column} >= ${aside} AND ${databaseOf(table)} = $1`,
    [id],
  )
}

/** Every number that is referred to of one database. */
const referredTo = async (client: Client, id: string): Promise<Readonly<Record<keyof Numbers, number[]>>> => {
  const found: Record<keyof Numbers, number[]> = { tables: [], schemas: [] }
  for (const field of await fieldsIn(client)) found[field.of].push(...(await readOids(client, field, id)))
  for (const { columns } of await readExplorations(client, id)) found.tables.push(...oidsIn(columns))
  return found
}

/** Brings what refers to one database to its numbers there. In a transaction of the caller. */
export const translateStored = async (client: Client, id: string, numbers: Numbers): Promise<void> => {
  const referred = await referredTo(client, id)
  const total: Numbers = {
    tables: completed(numbers.tables, referred.tables),
    schemas: completed(numbers.schemas, referred.schemas),
  }
  for (const field of await fieldsIn(client)) await translateField(client, field, id, total)
  for (const { id: exploration, columns } of await readExplorations(client, id)) {
    const now = mapColumns(columns, (oid) => total.tables.get(oid) ?? oid)
    await client.query('UPDATE public.mathesar_explorations SET initial_columns = $2::jsonb WHERE id = $1', [
      exploration,
      JSON.stringify(now),
    ])
  }
}

/** Each reference of one database as the name that it leads to, sorted: the same on both sides. */
export const describeReferences = async (
  client: Client,
  id: string,
  names: Names,
): Promise<readonly string[]> => {
  const tables = new Map(names.tables.map(({ oid, schema, name }) => [oid, `${schema}.${name}`]))
  const schemas = new Map(names.schemas.map(({ oid, name }) => [oid, name]))
  const lines: string[] = []
  for (const { table, column, of } of await fieldsIn(client)) {
    const { rows } = await client.query<{ id: string; oid: number }>(
      `SELECT id::text AS id, ${column}::float8 AS oid FROM public.${table} AS kept
        WHERE ${databaseOf(table)} = $1 AND ${column} IS NOT NULL`,
      [id],
    )
    const target = of === 'tables' ? tables : schemas
    lines.push(...rows.map((row) => `${table} ${row.id} ${column}: ${target.get(row.oid) ?? 'nothing'}`))
  }
  for (const { id: exploration, columns } of await readExplorations(client, id))
    lines.push(
      ...oidsIn(columns).map(
        (oid, index) => `exploration ${exploration} ${index}: ${tables.get(oid) ?? 'nothing'}`,
      ),
    )
  return lines.toSorted()
}
