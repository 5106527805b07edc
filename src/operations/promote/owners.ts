import type { Client } from '../../system/ports.ts'
import { ownedObjects } from '../rescue/handover.ts'
import { quoteName } from '../../units/postgres/quoting.ts'

/**
 * Who owns what. All is made by Mathesar's role, and then given to the others: a role gets nothing in a
 * schema in which it may make nothing, unless it is lent that right for the moment.
 */
export type Ownership = {
  /** Others than Mathesar's role that own something here, by name. */
  readonly owners: readonly string[]
  readonly commands: readonly string[]
  /** What others own, that do not go along, such as a superuser: Mathesar's role gets it. */
  readonly ofOthers: readonly string[]
}

/** Schemas last: what is in them is given away by who owns them. */
const query = `
  SELECT rolname AS owner, format('ALTER %s %s OWNER TO %I', type, identity, rolname) AS command,
      format('%s %s', type, identity) AS what
    FROM (${ownedObjects}) AS owned JOIN pg_catalog.pg_roles r ON r.oid = owner
    WHERE rolname NOT IN ($1, 'pg_database_owner')
      AND NOT (owner = 10 AND type = 'schema' AND identity = 'public') -- Of Postgres before 15.
    ORDER BY type = 'schema', identity`

type Row = { readonly owner: string; readonly command: string; readonly what: string }

export const readOwnership = async (
  client: Client,
  app: string,
  roles: readonly string[],
): Promise<Ownership> => {
  const { rows } = await client.query<Row>(query, [app])
  const moving = rows.filter(({ owner }) => roles.includes(owner))
  return {
    owners: [...new Set(moving.map(({ owner }) => owner))],
    commands: moving.map(({ command }) => command),
    ofOthers: rows.filter(({ owner }) => !roles.includes(owner)).map(({ what }) => what),
  }
}

const loans = `
  SELECT format('CREATE ON SCHEMA %I', nspname) AS what, rolname AS role
    FROM pg_catalog.pg_namespace, pg_catalog.pg_roles
    WHERE rolname = ANY($1) AND nspname <> 'information_schema' AND nspname !~ '^pg_'
      AND NOT pg_catalog.has_schema_privilege(rolname, pg_namespace.oid, 'CREATE')
  UNION ALL SELECT format('CREATE ON DATABASE %I', datname), rolname
    FROM pg_catalog.pg_database, pg_catalog.pg_roles
    WHERE rolname = ANY($1) AND datname = pg_catalog.current_database()
      AND NOT pg_catalog.has_database_privilege(rolname, pg_database.oid, 'CREATE')`

/** As Mathesar's role of the other server, in one of its databases. */
export const applyOwnership = async (client: Client, { owners, commands }: Ownership): Promise<void> => {
  if (commands.length === 0) return
  await client.query('BEGIN')
  const { rows } = await client.query<{ what: string; role: string }>(loans, [owners])
  for (const { what, role } of rows) await client.query(`GRANT ${what} TO ${quoteName(role)}`)
  for (const command of commands) await client.query(command)
  for (const { what, role } of rows) await client.query(`REVOKE ${what} FROM ${quoteName(role)}`)
  await client.query('COMMIT')
}
