import type { Client } from '../../system/ports.ts'
import { quotedTable } from './names.ts'
import type { Wanted } from './prepare.ts'
import { settingsWhere, type Told } from './settings.ts'
import { inSource, inSourceAsApp, type MoveScope } from './source.ts'
import { readConnected } from './stored.ts'
import { mayBeEntered } from '../../units/postgres/connection.ts'
import { quoteName } from '../../units/postgres/quoting.ts'
import { namesOf } from '../../units/postgres/rows.ts'

/** The databases that move, and what a dump of one does not have. */

type Kept = {
  /** Who owns it, if that is one of the roles that go along. */
  readonly owner: string | null
  /** Extensions with rows of people, which stay. */
  readonly extensions: readonly string[]
  /** Commands for what belongs to the database itself. */
  readonly commands: readonly Told[]
}

/**
 * All of the embedded server, the internal one first. Of another one those that Mathesar is connected to:
 * what else is there need not be its own.
 */
export const listMoving = async (scope: MoveScope): Promise<readonly string[]> => {
  const { database, internal } = scope.source
  const connected =
    database.kind === 'embedded'
      ? undefined
      : (await inSourceAsApp(scope, (client) => readConnected(client, scope.source))).map(({ name }) => name)
  return await inSource(scope, internal, (client) =>
    namesOf(
      client,
      `SELECT datname AS name FROM pg_catalog.pg_database
        WHERE ${mayBeEntered} AND NOT datistemplate AND (datname = $1 OR CASE WHEN $2::text[] IS NULL
          THEN datname <> 'postgres' ELSE datname = ANY($2) END) ORDER BY datname <> $1, datname`,
      [internal, connected ?? null],
    ),
  )
}

export const readExtensions = async (client: Client): Promise<Wanted['extensions']> =>
  (
    await client.query<Wanted['extensions'][number]>(
      `SELECT extname AS name, nspname AS schema FROM pg_catalog.pg_extension
        JOIN pg_catalog.pg_namespace n ON n.oid = extnamespace WHERE extname <> 'plpgsql'
      ORDER BY pg_extension.oid`,
    )
  ).rows

/** What keeps writes from a database that is left (`close.ts`). */
export const closing = 'default_transaction_read_only=on'

const settings = settingsWhere(`datname = current_database() AND (setrole <> 0 OR setting <> '${closing}')`)

/** Rights on the database itself. Everybody may connect where nothing else is said; there not yet. */
const rights = `
  SELECT 'REVOKE ALL ON DATABASE ' || quote_ident(datname) || ' FROM PUBLIC' AS command
    FROM pg_catalog.pg_database WHERE datname = current_database() AND datacl IS NOT NULL
  UNION ALL SELECT format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO PUBLIC', datname)
    FROM pg_catalog.pg_database WHERE datname = current_database() AND datacl IS NULL
  UNION ALL SELECT format('GRANT %s ON DATABASE %I TO %s%s', privilege_type, datname,
      CASE WHEN grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END,
      CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM pg_catalog.pg_database, aclexplode(datacl)
    WHERE datname = current_database() AND grantee NOT IN (10, datdba)`

/** Before Postgres 15 that schema is the superuser's. */
const comments = `
  SELECT format('COMMENT ON SCHEMA public IS %L', description) AS command,
      'the comment of the schema public' AS what
    FROM pg_catalog.pg_namespace n, obj_description(n.oid, 'pg_namespace') AS description
    WHERE nspname = 'public' AND description <> 'standard public schema'`

/** What an extension keeps in tables of its own, which its maker there may be the only one to write to. */
const ofExtensions = `SELECT extname AS name FROM pg_catalog.pg_extension WHERE extconfig <> '{}' ORDER BY 1`

export const readKept = async (client: Client, roles: readonly string[]): Promise<Kept> => {
  const ofRights = (await client.query<{ command: string }>(rights)).rows
  const { rows } = await client.query<{ owner: string }>(
    'SELECT pg_get_userbyid(datdba) AS owner FROM pg_catalog.pg_database WHERE datname = current_database()',
  )
  const owner = rows[0]?.owner ?? ''
  return {
    owner: roles.includes(owner) ? owner : null,
    extensions: await namesOf(client, ofExtensions),
    commands: [
      ...ofRights.map(({ command }) => ({ command, what: command })),
      ...(await client.query<Told>(comments)).rows,
      ...(await client.query<Told>(settings)).rows,
    ],
  }
}

/** In the database there, as Mathesar's role. What the server does not let it do is told. */
export const applyKept = async (
  client: Client,
  name: string,
  { owner, extensions, commands }: Kept,
  warn: (what: string) => void,
): Promise<void> => {
  for (const extension of extensions)
    warn(`what the extension ${extension} keeps in its own tables of ${name}`)
  for (const { command, what } of commands) await client.query(command).catch(() => warn(what))
  if (owner !== null) await client.query(`ALTER DATABASE ${quoteName(name)} OWNER TO ${quoteName(owner)}`)
}

/** How many rows each table has. */
export const countTables = async (client: Client): Promise<ReadonlyMap<string, string>> => {
  const { rows } = await client.query<{ name: string; rows: string }>(
    `SELECT ${quotedTable} AS name,
        (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM ONLY %I.%I', nspname, relname),
          false, true, '')))[1]::text AS rows
      FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
      WHERE relkind = 'r' AND nspname <> 'information_schema' AND nspname !~ '^pg_'`,
  )
  return new Map(rows.map((row) => [row.name, row.rows]))
}

/** The values of sequences, of which no transaction is the owner. Those of extensions may be anybody's. */
export const carrySequences = async (client: Client, there: Client): Promise<void> => {
  const { rows } = await client.query<{ name: string; value: string; called: string }>(
    `SELECT name, (xpath('/row/value/text()', seen))[1]::text AS value,
        (xpath('/row/called/text()', seen))[1]::text AS called
      FROM (SELECT format('%I.%I', nspname, relname) AS name FROM pg_class c
        JOIN pg_namespace n ON n.oid = relnamespace
        WHERE relkind = 'S' AND relpersistence <> 't' AND nspname <> 'information_schema'
          AND nspname !~ '^pg_' AND NOT EXISTS (SELECT FROM pg_depend
            WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')) AS sequences,
        query_to_xml('SELECT last_value AS value, is_called AS called FROM ' || name,
          false, true, '') AS seen`,
  )
  await there.query(
    `SELECT pg_catalog.setval(name::regclass, value::bigint, called::boolean)
      FROM unnest($1::text[], $2::text[], $3::text[]) AS sequences (name, value, called)`,
    [rows.map(({ name }) => name), rows.map(({ value }) => value), rows.map(({ called }) => called)],
  )
}
