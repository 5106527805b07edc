import type { Client } from '../../system/ports.ts'
import { ownedObjects } from '../rescue/handover.ts'
import { quoteName } from '../../units/postgres/quoting.ts'

/**
 * Who owns what. All is made by Mathesar's role, and then given to the others: a role gets nothing in a
 * schema in which it may make nothing, unless it is lent that right for the moment.
 */
type Ownership = {
  /** Others than Mathesar's role that own something here, by name. */
  readonly owners: readonly string[]
  /** For all but the schemas, which are last: what is in one is given away by who owns it. */
  readonly commands: readonly string[]
  readonly schemas: readonly string[]
  /** What others own, that do not go along, such as a superuser: Mathesar's role gets it. */
  readonly ofOthers: readonly string[]
}

const query = `
  SELECT rolname AS owner, type = 'schema' AS "isSchema",
      format('ALTER %s %s OWNER TO %I', type, identity, rolname) AS command,
      format('%s %s', type, identity) AS what
    FROM (${ownedObjects}) AS owned JOIN pg_catalog.pg_roles r ON r.oid = owner
    WHERE rolname NOT IN ($1, 'pg_database_owner')
      AND NOT (owner = 10 AND type = 'schema' AND identity = 'public') -- Of Postgres before 15.
    ORDER BY identity`

type Row = {
  readonly owner: string
  readonly isSchema: boolean
  readonly command: string
  readonly what: string
}

export const readOwnership = async (
  client: Client,
  app: string,
  roles: readonly string[],
): Promise<Ownership> => {
  const { rows } = await client.query<Row>(query, [app])
  const moving = rows.filter(({ owner }) => roles.includes(owner))
  return {
    owners: [...new Set(moving.map(({ owner }) => owner))],
    commands: moving.filter(({ isSchema }) => !isSchema).map(({ command }) => command),
    schemas: moving.filter(({ isSchema }) => isSchema).map(({ command }) => command),
    ofOthers: rows.filter(({ owner }) => !roles.includes(owner)).map(({ what }) => what),
  }
}

const loansOfSchemas = `
  SELECT format('CREATE ON SCHEMA %I', nspname) AS what, rolname AS role
    FROM pg_catalog.pg_namespace, pg_catalog.pg_roles
    WHERE rolname = ANY($1) AND nspname <> 'information_schema' AND nspname !~ '^pg_'
      AND NOT pg_catalog.has_schema_privilege(rolname, pg_namespace.oid, 'CREATE')`

const loansOfDatabase = `
  SELECT format('CREATE ON DATABASE %I', datname) AS what, rolname AS role
    FROM pg_catalog.pg_database, pg_catalog.pg_roles
    WHERE rolname = ANY($1) AND datname = pg_catalog.current_database()
      AND NOT pg_catalog.has_database_privilege(rolname, pg_database.oid, 'CREATE')`

type Loan = { readonly what: string; readonly role: string }

/** Acts while roles have rights that they have not. */
const whileLent = async (
  client: Client,
  loans: string,
  owners: readonly string[],
  act: () => Promise<void>,
): Promise<void> => {
  const { rows } = await client.query<Loan>(loans, [owners])
  for (const { what, role } of rows) await client.query(`GRANT ${what} TO ${quoteName(role)}`)
  await act()
  for (const { what, role } of rows) await client.query(`REVOKE ${what} FROM ${quoteName(role)}`)
}

/**
 * As Mathesar's role of the other server, in one of its databases. A loan ends before the schema has its
 * owner: with it would go the owner's own right.
 */
export const applyOwnership = async (
  client: Client,
  { owners, commands, schemas }: Ownership,
): Promise<void> => {
  if (owners.length === 0) return
  const run = async (all: readonly string[]): Promise<void> => {
    for (const command of all) await client.query(command)
  }
  await client.query('BEGIN')
  await whileLent(client, loansOfDatabase, owners, async () => {
    await whileLent(client, loansOfSchemas, owners, () => run(commands))
    await run(schemas)
  })
  await client.query('COMMIT')
}
