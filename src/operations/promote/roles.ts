import type { Client } from '../../system/ports.ts'
import { appRole } from '../../units/postgres/connection.ts'
import { quoteText, quoteName } from '../../units/postgres/quoting.ts'

/** Roles of the embedded server beside Mathesar's own, and how another server gets them. */

export type Role = {
  readonly name: string
  /** What another server is told of it, behind `CREATE ROLE …` or `ALTER ROLE …`; without the password. */
  readonly attributes: string
  /** As Postgres stores it. */
  readonly password: string | null
  /** What only a superuser could give it there. */
  readonly mighty: readonly string[]
}

export type Membership = { readonly role: string; readonly member: string; readonly options: Options }
type Options = { readonly admin: boolean; readonly inherit: boolean; readonly set: boolean }

export type Roles = {
  readonly roles: readonly Role[]
  readonly memberships: readonly Membership[]
  /** `ALTER ROLE … SET …`, each as a command. */
  readonly settings: readonly string[]
}

const others = `oid >= 16384 AND rolname NOT IN ('${appRole}', 'postgres')`

const rolesQuery = `
  SELECT rolname AS name, rolpassword AS password,
      concat_ws(' ', CASE WHEN rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END,
        CASE WHEN rolcreatedb THEN 'CREATEDB' ELSE 'NOCREATEDB' END,
        CASE WHEN rolcreaterole THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END,
        CASE WHEN rolinherit THEN 'INHERIT' ELSE 'NOINHERIT' END,
        format('CONNECTION LIMIT %s', rolconnlimit),
        CASE WHEN rolvaliduntil IS NOT NULL THEN format('VALID UNTIL %L', rolvaliduntil::text) END
      ) AS attributes,
      array_remove(ARRAY[
        CASE WHEN rolsuper THEN 'SUPERUSER' END,
        CASE WHEN rolreplication THEN 'REPLICATION' END,
        CASE WHEN rolbypassrls THEN 'BYPASSRLS' END], NULL) AS mighty
    FROM pg_catalog.pg_authid WHERE ${others} ORDER BY rolname`

/** What Mathesar's role is a member of comes by itself: it makes these roles there. */
const membershipsQuery = `
  SELECT held.rolname AS role, member.rolname AS member,
      json_build_object('admin', bool_or(admin_option), 'inherit', bool_or(inherit_option),
        'set', bool_or(set_option)) AS options
    FROM pg_catalog.pg_auth_members
      JOIN pg_catalog.pg_roles AS held ON held.oid = roleid
      JOIN pg_catalog.pg_roles AS member ON member.oid = pg_auth_members.member
    WHERE member.oid >= 16384 AND member.rolname <> '${appRole}'
    GROUP BY 1, 2 ORDER BY 1, 2`

const settingsQuery = `
  SELECT format('ALTER ROLE %I SET %I = %L', rolname, split_part(setting, '=', 1),
      substr(setting, strpos(setting, '=') + 1)) AS command
    FROM pg_catalog.pg_db_role_setting JOIN pg_catalog.pg_roles r ON r.oid = setrole,
      unnest(setconfig) AS setting
    WHERE setdatabase = 0 AND r.oid >= 16384 AND rolname <> '${appRole}'`

export const readRoles = async (client: Client): Promise<Roles> => ({
  roles: (await client.query<Role>(rolesQuery)).rows,
  memberships: (await client.query<Membership>(membershipsQuery)).rows,
  settings: (await client.query<{ command: string }>(settingsQuery)).rows.map(({ command }) => command),
})

const optionsOf = ({ admin, inherit, set }: Options, major: number): string => {
  if (major < 16) return admin ? ' WITH ADMIN OPTION' : ''
  return ` WITH ADMIN ${admin}, INHERIT ${inherit}, SET ${set}`
}

/** What a server lets our role do is done; what it does not is said. */
const attempt = async (client: Client, command: string, onRefused: () => void): Promise<void> => {
  await client.query('SAVEPOINT attempt')
  try {
    await client.query(command)
    await client.query('RELEASE SAVEPOINT attempt')
  } catch {
    onRefused()
    await client.query('ROLLBACK TO SAVEPOINT attempt')
  }
}

const makeRole = async (
  client: Client,
  role: Role,
  mark: string,
  warn: (what: string) => void,
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
  if (role.password !== null)
    await attempt(client, `ALTER ROLE ${name} PASSWORD ${quoteText(role.password)}`, () =>
      warn(`the password of role ${role.name}: the server takes none that is stored. Set it there anew`),
    )
  if (role.mighty.length > 0) warn(`${role.mighty.join(', ')} of role ${role.name}`)
}

/** Gives the server the roles, as Mathesar's role there. In a transaction. What cannot be carried is told. */
export const applyRoles = async (
  client: Client,
  { roles, memberships, settings }: Roles,
  {
    major,
    mark,
    warn,
  }: { readonly major: number; readonly mark: string; readonly warn: (what: string) => void },
): Promise<void> => {
  await client.query('BEGIN')
  if (major >= 16) await client.query("ALTER ROLE CURRENT_USER SET createrole_self_grant = 'set, inherit'")
  for (const role of roles) await makeRole(client, role, mark, warn)
  // Also those of an attempt before: what emptied a database took this from Mathesar's role.
  const asOwner = major < 16 ? 'ADMIN OPTION' : 'INHERIT TRUE, SET TRUE'
  for (const { name } of roles) await client.query(`GRANT ${quoteName(name)} TO CURRENT_USER WITH ${asOwner}`)
  for (const { role, member, options } of memberships)
    await attempt(
      client,
      `GRANT ${quoteName(role)} TO ${quoteName(member)}${optionsOf(options, major)}`,
      () => warn(`the membership of ${member} in ${role}`),
    )
  for (const command of settings) await attempt(client, command, () => warn(command))
  await client.query('COMMIT')
}
