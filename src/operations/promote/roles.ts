import type { Client } from '../../system/ports.ts'
import { isOurs, type Marked } from './given.ts'
import { settingsWhere, type Told } from './settings.ts'
import type { RoleThere } from './shape.ts'
import type { Source } from './source.ts'
import { quoteText, quoteName } from '../../units/postgres/quoting.ts'
import { namesOf } from '../../units/postgres/rows.ts'

/** Roles of the server that is left, beside Mathesar's own, and how another server gets them. */

type Role = {
  readonly name: string
  /** What another server is told of it, behind `CREATE ROLE …` or `ALTER ROLE …`; without the password. */
  readonly attributes: string
  /** As Postgres stores it; `undefined` where the server does not show it. */
  readonly password: string | null | undefined
  /** What only a superuser could give it there. */
  readonly mighty: readonly string[]
}

type Membership = { readonly role: string; readonly member: string; readonly options: Options }
type Options = { readonly admin: boolean; readonly inherit: boolean; readonly set: boolean }

export type Roles = {
  readonly roles: readonly Role[]
  readonly memberships: readonly Membership[]
  readonly settings: readonly Told[]
}

const allQuery = `
  SELECT rolname AS name FROM pg_catalog.pg_roles WHERE oid >= 16384 AND rolname NOT IN ($1, 'postgres')`

/**
 * Those of another server that have to do with these databases: who owns or may do something in them, whose
 * password Mathesar stores, and their members. The host's own superusers are not ours to make. From Postgres
 * 16 on, who makes a role is a member of it; that alone is nothing.
 */
const relatedQuery = `
  WITH RECURSIVE moving AS (SELECT oid FROM pg_catalog.pg_database WHERE datname = ANY($2)),
  related AS (
    SELECT oid FROM pg_catalog.pg_roles WHERE rolname <> $1 AND (rolname = ANY($3) OR oid IN (
      SELECT refobjid FROM pg_catalog.pg_shdepend WHERE refclassid = 'pg_catalog.pg_authid'::regclass
        AND (dbid IN (SELECT oid FROM moving)
          OR classid = 'pg_catalog.pg_database'::regclass AND objid IN (SELECT oid FROM moving))))
    UNION SELECT members.member FROM pg_catalog.pg_auth_members AS members
      JOIN related ON members.roleid = related.oid
      JOIN pg_catalog.pg_roles AS member ON member.oid = members.member
      WHERE member.rolname <> $1 AND NOT (members.grantor = 10 AND members.admin_option))
  SELECT rolname AS name FROM pg_catalog.pg_roles JOIN related USING (oid)
    WHERE oid >= 16384 AND NOT rolsuper`

/** Which roles go along. `stored` are those whose password Mathesar has. */
export const listRoles = async (
  client: Client,
  { role, database }: Pick<Source, 'role' | 'database'>,
  { databases, stored }: { readonly databases: readonly string[]; readonly stored: readonly string[] },
): Promise<readonly string[]> =>
  database.kind === 'embedded'
    ? await namesOf(client, allQuery, [role])
    : await namesOf(client, relatedQuery, [role, databases, stored])

const rolesQuery = (catalog: 'pg_authid' | 'pg_roles'): string => `
  SELECT rolname AS name, rolpassword AS password,
      concat_ws(' ', CASE WHEN rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END,
        CASE WHEN rolcreatedb THEN 'CREATEDB' ELSE 'NOCREATEDB' END,
        CASE WHEN rolcreaterole THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END,
        CASE WHEN rolinherit THEN 'INHERIT' ELSE 'NOINHERIT' END,
        format('CONNECTION LIMIT %s', rolconnlimit),
        format('VALID UNTIL %L', coalesce(rolvaliduntil::text, 'infinity'))
      ) AS attributes,
      array_remove(ARRAY[
        CASE WHEN rolsuper THEN 'SUPERUSER' END,
        CASE WHEN rolreplication THEN 'REPLICATION' END,
        CASE WHEN rolbypassrls THEN 'BYPASSRLS' END], NULL) AS mighty
    FROM pg_catalog.${catalog} WHERE rolname = ANY($1) ORDER BY rolname`

/**
 * What Mathesar's role is a member of comes by itself: it makes these roles there. Postgres 16 brought the
 * options.
 */
const membershipsQuery = `
  SELECT held.rolname AS role, member.rolname AS member,
      json_build_object('admin', bool_or(admin_option),
        'inherit', bool_or(coalesce((to_jsonb(given) ->> 'inherit_option')::boolean, true)),
        'set', bool_or(coalesce((to_jsonb(given) ->> 'set_option')::boolean, true))) AS options
    FROM pg_catalog.pg_auth_members AS given
      JOIN pg_catalog.pg_roles AS held ON held.oid = roleid
      JOIN pg_catalog.pg_roles AS member ON member.oid = given.member
    WHERE member.rolname = ANY($1)
    GROUP BY 1, 2 ORDER BY 1, 2`

const settingsQuery = settingsWhere('setdatabase = 0 AND rolname = ANY($1)')

const maySeePasswords = `
  SELECT pg_catalog.has_table_privilege('pg_catalog.pg_authid', 'SELECT') AS may`

/** What there is to know of these roles. */
export const readRoles = async (client: Client, names: readonly string[]): Promise<Roles> => {
  const may = (await client.query<{ may: boolean }>(maySeePasswords)).rows[0]?.may === true
  const { rows } = await client.query<Role>(rolesQuery(may ? 'pg_authid' : 'pg_roles'), [names])
  return {
    roles: may ? rows : rows.map((role) => ({ ...role, password: undefined })),
    memberships: (await client.query<Membership>(membershipsQuery, [names])).rows,
    settings: (await client.query<Told>(settingsQuery, [names])).rows,
  }
}

/** All that are there, as Mathesar's role sees them. */
export const readThere = async (client: Client): Promise<readonly RoleThere[]> =>
  (
    await client.query<RoleThere>(
      `SELECT rolname AS name, pg_catalog.pg_has_role(oid, 'USAGE') AS "isOurs" FROM pg_catalog.pg_roles`,
    )
  ).rows

const optionsOf = ({ admin, inherit, set }: Options, major: number): string => {
  if (major < 16) return admin ? ' WITH ADMIN OPTION' : ''
  return ` WITH ADMIN ${admin}, INHERIT ${inherit}, SET ${set}`
}

/** What a server lets our role do is done; what it does not is said. */
const attempt = async (client: Client, command: string, onRefused: (why: string) => void): Promise<void> => {
  await client.query('SAVEPOINT attempt')
  try {
    await client.query(command)
    await client.query('RELEASE SAVEPOINT attempt')
  } catch (error) {
    onRefused((error as Error).message)
    await client.query('ROLLBACK TO SAVEPOINT attempt')
  }
}

type Making = {
  /** Of the server that gets them. */
  readonly major: number
  readonly mark: string
  /** Roles that have their password there, though nobody shows it here. */
  readonly knownPasswords: readonly string[]
  readonly warn: (what: string) => void
}

const makeRole = async (
  client: Client,
  role: Role,
  { mark, knownPasswords, warn }: Making,
): Promise<void> => {
  const name = quoteName(role.name)
  const isThere = (await client.query('SELECT FROM pg_catalog.pg_roles WHERE rolname = $1', [role.name]))
    .rowCount
  // Who may not create databases may not even take that right away.
  const [right = ''] = /\b(?:NO)?CREATEDB\b/.exec(role.attributes) ?? []
  const attributes = role.attributes.replace(right, '')
  await client.query(`${isThere === 1 ? 'ALTER' : 'CREATE'} ROLE ${name} ${attributes}`)
  await attempt(client, `ALTER ROLE ${name} ${right}`, () => {
    if (right === 'CREATEDB') warn(`${right} of role ${role.name}`)
  })
  if (isThere === 0) await client.query(`COMMENT ON ROLE ${name} IS ${quoteText(mark)}`)
  const { password } = role
  const anew = `Type there \`ALTER ROLE ${name} PASSWORD '…'\``
  if (password === null) await client.query(`ALTER ROLE ${name} PASSWORD NULL`)
  else if (password !== undefined)
    await attempt(client, `ALTER ROLE ${name} PASSWORD ${quoteText(password)}`, () =>
      warn(`the password of role ${role.name}: the server takes none that is stored. ${anew}`),
    )
  else if (!knownPasswords.includes(role.name) && !role.attributes.startsWith('NOLOGIN'))
    warn(`the password of role ${role.name}: its server does not show it. ${anew}`)
  if (role.mighty.length > 0) warn(`${role.mighty.join(', ')} of role ${role.name}`)
}

const givenQuery = `
  SELECT held.rolname AS role, member.rolname AS member
    FROM pg_catalog.pg_auth_members AS given
      JOIN pg_catalog.pg_roles AS held ON held.oid = roleid
      JOIN pg_catalog.pg_roles AS member ON member.oid = given.member
    WHERE member.rolname <> current_user AND member.rolname = ANY($1)`

/** Takes away what the copy ahead has made there, or an attempt before, and is no longer so here. */
const forgetOthers = async (
  client: Client,
  { roles, memberships }: Roles,
  { mark, warn }: Making,
): Promise<void> => {
  const { rows } = await client.query<Marked>(
    `SELECT rolname AS name, pg_catalog.shobj_description(oid, 'pg_authid') AS comment
      FROM pg_catalog.pg_roles WHERE oid >= 16384 AND rolname <> current_user`,
  )
  const ours = rows.filter((each) => isOurs(each, mark)).map(({ name }) => name)
  for (const name of ours) {
    if (roles.some((role) => role.name === name))
      await client.query(`ALTER ROLE ${quoteName(name)} RESET ALL`)
    else
      await attempt(client, `DROP ROLE ${quoteName(name)}`, (why) =>
        warn(`that the role ${name} was removed: its server says: ${why}`),
      )
  }
  const given = await client.query<{ role: string; member: string }>(givenQuery, [ours])
  for (const { role, member } of given.rows)
    if (!memberships.some((each) => each.role === role && each.member === member))
      await attempt(client, `REVOKE ${quoteName(role)} FROM ${quoteName(member)}`, () =>
        warn(`that the membership of ${member} in ${role} was taken away`),
      )
}

/** Gives the server the roles, as Mathesar's role there. In a transaction. What cannot be carried is told. */
export const applyRoles = async (client: Client, all: Roles, making: Making): Promise<void> => {
  const { roles, memberships, settings } = all
  const { major, warn } = making
  await client.query('BEGIN')
  await forgetOthers(client, all, making)
  if (major >= 16) await client.query("ALTER ROLE CURRENT_USER SET createrole_self_grant = 'set, inherit'")
  for (const role of roles) await makeRole(client, role, making)
  // Also those of an attempt before: what emptied a database took this from Mathesar's role.
  const asOwner = major < 16 ? 'ADMIN OPTION' : 'INHERIT TRUE, SET TRUE'
  for (const { name } of roles) await client.query(`GRANT ${quoteName(name)} TO CURRENT_USER WITH ${asOwner}`)
  for (const { role, member, options } of memberships)
    await attempt(
      client,
      `GRANT ${quoteName(role)} TO ${quoteName(member)}${optionsOf(options, major)}`,
      () => warn(`the membership of ${member} in ${role}`),
    )
  for (const { command, what } of settings) await attempt(client, command, () => warn(what))
  await client.query('COMMIT')
}
