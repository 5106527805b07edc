import type { Client } from '../../system/ports.ts'
import { appRole, internalDatabase, mayBeEntered } from '../../units/postgres/connection.ts'
import { namesOf } from '../../units/postgres/rows.ts'

/**
 * The theory of the handover.
 *
 * In Mathesar's own image the app is the superuser of its cluster and owns all that is in it. Here it has a
 * role that may create databases and roles, and the superuser is the supervisor's alone. So the superuser is
 * called `postgres`, as here, and what people have goes over to a new role `mathesar`: databases, what is in
 * them, and the right to manage the other roles. What only a superuser may own stays the superuser's.
 */

/** Each as a command. Names come from the cluster: only Postgres itself quotes them. */
const commandsOf = async (client: Client, sql: string, values: unknown[] = []): Promise<readonly string[]> =>
  (await client.query<{ command: string }>(sql, values)).rows.map(({ command }) => command)

const runAll = async (client: Client, commands: readonly string[]): Promise<void> => {
  for (const command of commands) await client.query(command)
}

/** What became of the names of roles: of the superuser, and of one that had a name of ours. */
export type Roles = {
  /** The superuser's name before. */
  readonly superuser: string
  readonly renamed: Readonly<Record<string, string>>
  /** Roles whose rights are a superuser's, which Mathesar can no longer manage. */
  readonly kept: readonly string[]
  /** Roles whose password is of the old kind (md5), which nobody can log in with here. */
  readonly outdated: readonly string[]
}

const bootstrapOid = 10

/** A name that no role has. */
const freeName = async (client: Client, name: string): Promise<string> => {
  for (let number = 1; ; number++) {
    const free = `${name}_${number}`
    if ((await client.query('SELECT FROM pg_roles WHERE rolname = $1', [free])).rowCount === 0) return free
  }
}

/** Frees a name of ours from a role of the same name. */
const free = async (client: Client, name: string, renamed: Record<string, string>): Promise<void> => {
  const to = await freeName(client, name)
  const found = await commandsOf(
    client,
    `SELECT format('ALTER ROLE %I RENAME TO %I', rolname, $2::text) AS command
      FROM pg_roles WHERE rolname = $1 AND oid <> ${bootstrapOid}`,
    [name, to],
  )
  await runAll(client, found)
  if (found.length > 0) renamed[name] = to
}

/** Whoever may act as such a role may do all that a superuser can. */
const isMighty = `EXISTS (SELECT FROM pg_roles AS mighty
  WHERE (mighty.rolsuper OR mighty.rolreplication OR mighty.rolbypassrls OR mighty.rolname IN
      ('pg_execute_server_program', 'pg_write_server_files', 'pg_read_server_files'))
    AND pg_has_role(role.oid, mighty.oid, 'MEMBER'))`

const others = `FROM pg_roles AS role
  WHERE oid <> ${bootstrapOid} AND rolname NOT IN ('${appRole}', session_user) AND rolname !~ '^pg_'`

/** Gives Mathesar's role the others to manage. From Postgres 16 on the right to make roles is not enough. */
export const grantRoles = async (client: Client): Promise<void> => {
  await client.query(`ALTER ROLE ${appRole} SET createrole_self_grant = 'set, inherit'`)
  const grants = `SELECT format('GRANT %I TO ${appRole} WITH ADMIN TRUE, INHERIT TRUE, SET TRUE', rolname)
      AS command ${others} AND NOT ${isMighty}`
  await runAll(client, await commandsOf(client, grants))
}

/** Gives the superuser its name here, makes Mathesar's role, and gives it the others to manage. */
export const handOverRoles = async (client: Client): Promise<Roles> => {
  const [superuser = ''] = await namesOf(
    client,
    `SELECT rolname AS name FROM pg_roles WHERE oid = ${bootstrapOid}`,
  )
  const renamed: Record<string, string> = {}
  if (superuser !== 'postgres') {
    await free(client, 'postgres', renamed)
    const rename = `SELECT format('ALTER ROLE %I RENAME TO postgres', rolname) AS command
      FROM pg_roles WHERE oid = ${bootstrapOid}`
    await runAll(client, await commandsOf(client, rename))
  }
  await free(client, appRole, renamed)
  await client.query(`CREATE ROLE ${appRole} LOGIN CREATEDB CREATEROLE`)
  await client.query("ALTER ROLE postgres SUPERUSER LOGIN VALID UNTIL 'infinity'")
  await grantRoles(client)
  const outdated = `SELECT rolname AS name FROM pg_authid AS role
    WHERE oid <> ${bootstrapOid} AND rolpassword LIKE 'md5%'`
  return {
    superuser,
    renamed,
    kept: await namesOf(client, `SELECT rolname AS name ${others} AND ${isMighty}`),
    outdated: await namesOf(client, outdated),
  }
}

/**
 * Everything in a database that somebody owns, as `type` and `identity` of `ALTER … OWNER TO`, with its
 * `owner`. Not what came with Postgres or with an extension, and not what follows the owner of something
 * else: the types and indexes of tables, and the sequences of their columns.
 */
export const ownedObjects = `
  SELECT replace(found.type, 'statistics object', 'statistics') AS type, found.identity, object.owner
    FROM (
      SELECT 'pg_namespace'::regclass AS class, oid, nspowner AS owner FROM pg_namespace
      UNION ALL SELECT 'pg_class'::regclass, oid, relowner FROM pg_class
        WHERE relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND NOT EXISTS (
          SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid
            AND relkind = 'S' AND deptype IN ('a', 'i'))
      UNION ALL SELECT 'pg_proc'::regclass, oid, proowner FROM pg_proc
      UNION ALL SELECT 'pg_type'::regclass, oid, typowner FROM pg_type
        WHERE typtype IN ('b', 'd', 'e', 'r', 'c')
        AND NOT EXISTS (SELECT FROM pg_type AS element WHERE element.typarray = pg_type.oid)
        AND (typrelid = 0 OR EXISTS (SELECT FROM pg_class WHERE pg_class.oid = typrelid AND relkind = 'c'))
      UNION ALL SELECT 'pg_collation'::regclass, oid, collowner FROM pg_collation
      UNION ALL SELECT 'pg_conversion'::regclass, oid, conowner FROM pg_conversion
      UNION ALL SELECT 'pg_operator'::regclass, oid, oprowner FROM pg_operator
      UNION ALL SELECT 'pg_opclass'::regclass, oid, opcowner FROM pg_opclass
      UNION ALL SELECT 'pg_opfamily'::regclass, oid, opfowner FROM pg_opfamily
      UNION ALL SELECT 'pg_ts_config'::regclass, oid, cfgowner FROM pg_ts_config
      UNION ALL SELECT 'pg_ts_dict'::regclass, oid, dictowner FROM pg_ts_dict
      UNION ALL SELECT 'pg_statistic_ext'::regclass, oid, stxowner FROM pg_statistic_ext
      UNION ALL SELECT 'pg_foreign_server'::regclass, oid, srvowner FROM pg_foreign_server
      UNION ALL SELECT 'pg_publication'::regclass, oid, pubowner FROM pg_publication
      UNION ALL SELECT 'pg_largeobject'::regclass, oid, lomowner FROM pg_largeobject_metadata
    ) AS object, LATERAL pg_identify_object(class, oid, 0) AS found
    WHERE (oid >= 16384 OR found.identity = 'public')
      AND NOT EXISTS (SELECT FROM pg_depend
        WHERE classid = class AND objid = oid AND deptype = 'e')`

/** Mathesar's own role may have been one beside the first. */
const superusers = 'SELECT oid FROM pg_roles WHERE rolsuper'

const handOverObjects = `
  SELECT format('ALTER %s %s OWNER TO ${appRole}', type, identity) AS command FROM (${ownedObjects}) AS owned
    WHERE owner IN (${superusers})`

/** Gives Mathesar's role what superusers have in the database of this session: they need no ownership. */
export const handOverDatabase = async (client: Client): Promise<void> => {
  await runAll(client, await commandsOf(client, handOverObjects))
  const database = `SELECT format('ALTER DATABASE %I OWNER TO ${appRole}', datname) AS command
    FROM pg_database WHERE datname = current_database() AND datdba IN (${superusers})`
  await runAll(client, await commandsOf(client, database))
}

/** The databases of people and of Mathesar. Those of Postgres itself stay the superuser's. */
export const databasesOf = (client: Client): Promise<readonly string[]> =>
  namesOf(
    client,
    `SELECT datname AS name FROM pg_database
      WHERE ${mayBeEntered} AND NOT datistemplate AND datname <> 'postgres' ORDER BY datname`,
  )

/** Whether Mathesar keeps its own tables in the database of this session. */
export const isInternal = async (client: Client): Promise<boolean> => {
  const { rows } = await client.query<{ is: boolean }>(
    `SELECT count(*) = 2 AS is FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
      WHERE nspname = 'public' AND relkind = 'r'
        AND relname IN ('django_migrations', 'mathesar_configuredrole')`,
  )
  return rows[0]?.is === true
}

/** Gives the internal database its name here, or makes one where there is none yet. */
export const nameInternal = async (client: Client, found: string | undefined): Promise<void> => {
  if (found === internalDatabase) return
  if (found === undefined)
    return void (await client.query(
      `CREATE DATABASE ${internalDatabase} OWNER ${appRole} TEMPLATE template0`,
    ))
  const rename = `SELECT format('ALTER DATABASE %I RENAME TO ${internalDatabase}', datname) AS command
    FROM pg_database WHERE datname = $1`
  await runAll(client, await commandsOf(client, rename, [found]))
}
