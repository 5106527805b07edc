import type { DatabaseUrl } from '../../settings/database-url.ts'
import type { Client } from '../../system/ports.ts'
import { quoteName, quoteText } from '../../units/postgres/quoting.ts'
import { namesOf } from '../../units/postgres/rows.ts'
import type { MoveScope } from './source.ts'
import { inTarget } from './target.ts'

/**
 * Databases on a server where Mathesar's role may make none: somebody made them for it. They are used as they
 * are while nothing is in them, and an attempt that failed empties them again.
 */

/** So begins the mark of one that is not ours to drop. */
const given = 'given: '

const ours = 'moved here by supervisor promote '
const letters = 'abcdefghijklmnopqrstuvwxyz0123456789'

export const newMark = ({ system }: MoveScope): string => `${ours}${system.randomText(16, letters)}`

/** As a regular expression: whatever attempt has left it. */
export const anyMark = `^(${given})?${ours}[a-z0-9]{16}$`

export type Marked = { readonly name: string; readonly comment: string | null }

/** Made by the installation that knows the mark, and not in force. */
export const isOurs = ({ comment }: Marked, mark: string | undefined): boolean =>
  mark !== undefined && comment?.endsWith(mark) === true

export const isGiven = ({ comment }: Marked): boolean => comment?.startsWith(given) === true

const isOwn = "nspname <> 'information_schema' AND nspname !~ '^pg_'"

/** What an extension has brought is nobody's work. */
const nothingOf = (catalog: string, column: string): string => `
  NOT EXISTS (SELECT FROM pg_catalog.${catalog} AS object JOIN pg_catalog.pg_namespace n ON n.oid = ${column}
    WHERE ${isOwn} AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend
      WHERE classid = 'pg_catalog.${catalog}'::regclass AND objid = object.oid AND deptype = 'e'))`

const emptyQuery = `
  SELECT ${nothingOf('pg_class', 'relnamespace')} AND ${nothingOf('pg_proc', 'pronamespace')}
    AND ${nothingOf('pg_type', 'typnamespace')}
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata) AS "isEmpty"`

/** Those of the names that were made for Mathesar's role, and have nothing in them. */
export const findGiven = async (
  scope: MoveScope,
  url: DatabaseUrl,
  names: readonly string[],
): Promise<readonly string[]> => {
  if (url.user !== scope.source.role) return []
  const own = await inTarget(scope, url, url.name, (client) =>
    namesOf(
      client,
      `SELECT datname AS name FROM pg_catalog.pg_database WHERE datname = ANY($1)
        AND pg_catalog.pg_get_userbyid(datdba) = current_user
        AND pg_catalog.pg_encoding_to_char(encoding) = 'UTF8'`,
      [names],
    ),
  )
  const found: string[] = []
  for (const name of own) {
    const seen = await inTarget(scope, url, name, (client) => client.query<{ isEmpty: boolean }>(emptyQuery))
    if (seen.rows[0]?.isEmpty) found.push(name)
  }
  return found
}

/** Marks it before anything is put in. Says whether it sorts as ours does. */
export const takeGiven = async (
  client: Client,
  name: string,
  { mark, major }: { readonly mark: string; readonly major: number },
): Promise<boolean> => {
  await client.query(`COMMENT ON DATABASE ${quoteName(name)} IS ${quoteText(given + mark)}`)
  if (major < 15) return false
  const { rowCount } = await client.query(
    "SELECT FROM pg_catalog.pg_database WHERE datname = $1 AND datlocprovider = 'i'",
    [name],
  )
  return rowCount === 1
}

/** In one that is marked so: removes what an attempt has put there, whoever owns it since. */
export const emptyGiven = async (client: Client): Promise<void> => {
  const { rows } = await client.query<{ owners: string | null }>(
    `SELECT string_agg(DISTINCT quote_ident(rolname), ', ') AS owners
      FROM pg_catalog.pg_shdepend JOIN pg_catalog.pg_roles r ON r.oid = refobjid
      WHERE refclassid = 'pg_catalog.pg_authid'::regclass AND deptype = 'o'
        AND dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
        AND pg_catalog.pg_has_role(r.oid, 'USAGE')`,
  )
  const owners = rows[0]?.owners ?? null
  if (owners !== null) await client.query(`DROP OWNED BY ${owners} CASCADE`)
  await client.query('CREATE SCHEMA IF NOT EXISTS public')
}
