import { firstFew } from '../../core/message.ts'
import type { Client } from '../../system/ports.ts'
import { quoteName } from '../../units/postgres/quoting.ts'
import { findGiven, isGiven, isOurs, type Marked } from './given.ts'
import type { MoveScope } from './source.ts'
import { inTarget, refuse, type Target } from './target.ts'

/** Whether the names that are needed are free, and may be taken. */

/** Whether the user of the URL may drop it. */
type Found = Marked & { readonly mayDrop: boolean }

type Owned = Found & {
  readonly owner: string
  /** Whether that user may become the owner. */
  readonly mayTake: boolean
}

/** Since Postgres 16 CREATEROLE is not enough to grant or drop a role that another one has created. */
const mayRule = (role: string): string => `
  (SELECT own.rolsuper OR own.rolcreaterole AND NOT ${role}.rolsuper AND (
      pg_catalog.current_setting('server_version_num')::int < 160000
      OR pg_catalog.pg_has_role(${role}.oid, 'MEMBER WITH ADMIN OPTION'))
    FROM pg_catalog.pg_roles AS own WHERE own.rolname = current_user)`

const readMarked = async (
  client: Client,
  names: readonly string[],
): Promise<{ readonly databases: readonly Owned[]; readonly roles: readonly Found[] }> => ({
  databases: (
    await client.query<Owned>(
      `SELECT datname AS name, pg_catalog.shobj_description(d.oid, 'pg_database') AS comment,
        owner.rolname AS owner, pg_catalog.pg_has_role(datdba, 'USAGE') AS "mayDrop",
        ${mayRule('owner')} AS "mayTake"
        FROM pg_catalog.pg_database AS d JOIN pg_catalog.pg_roles AS owner ON owner.oid = datdba
        WHERE datname = ANY($1)`,
      [names],
    )
  ).rows,
  roles: (
    await client.query<Found>(
      `SELECT rolname AS name, pg_catalog.shobj_description(oid, 'pg_authid') AS comment,
        ${mayRule('role')} AS "mayDrop"
        FROM pg_catalog.pg_roles AS role WHERE oid >= 16384`,
    )
  ).rows,
})

type Names = { readonly databases: readonly string[]; readonly roles: readonly string[] }

/** What somebody types who may, so that Mathesar's role needs to make none. */
const madeFor = (user: string, app: string, databases: readonly string[]): string =>
  [
    ...(user === app ? [] : [`CREATE ROLE ${quoteName(app)} LOGIN PASSWORD '…'`]),
    ...databases.map(
      (name) =>
        `CREATE DATABASE ${quoteName(name)} OWNER ${quoteName(app)} TEMPLATE template0 ENCODING 'UTF8'`,
    ),
  ].join('; ')

/** Refuses where the user of the URL may not make what is not there. */
const requireRights = ({ url: { user }, may }: Target, app: string, missing: Names): void => {
  const roles = may.createRoles ? [] : missing.roles
  const databases = may.createDatabases ? [] : missing.databases
  if (roles.length + databases.length === 0) return
  const instead = roles.some((name) => name !== app)
    ? ''
    : ` Where nobody may: have them made, and give the URL of ${app} there: ` +
      `\`${madeFor(user, app, missing.databases)}\`.`
  refuse(
    `its user may not create ${roles.length > 0 ? 'roles' : 'databases'} ` +
      `(${firstFew(roles.length > 0 ? roles : databases, String).join(', ')})`,
    `As its administrator type \`ALTER ROLE ${quoteName(user)} CREATEDB CREATEROLE\`, or give the URL of ` +
      `one who may.${instead} Nothing was changed.`,
  )
}

/** Refuses where the user of the URL would become a role that goes along, with few rights. */
export const requireOtherUser = (user: string, app: string, roles: readonly string[]): void => {
  if (user === app || !roles.includes(user)) return
  refuse(
    `its user ${user} has the name of a role that goes along`,
    'Give the URL of another administrator there. Nothing was changed.',
  )
}

/** Refuses, and says what frees the names, and who may do that. */
const refuseTaken = (user: string, databases: readonly Owned[], roles: readonly Found[]): never => {
  const owners = new Set(databases.flatMap(({ owner, mayDrop }) => (mayDrop ? [] : [owner])))
  const may =
    databases.every(({ mayDrop, mayTake }) => mayDrop || mayTake) && roles.every(({ mayDrop }) => mayDrop)
  const commands = [
    ...(may ? [...owners].map((owner) => `GRANT ${quoteName(owner)} TO ${quoteName(user)}`) : []),
    ...databases.map(({ name }) => `DROP DATABASE ${quoteName(name)}`),
    ...roles.map(({ name }) => `DROP ROLE ${quoteName(name)}`),
  ].join('; ')
  const taken = [
    ...databases.map(({ name }) => `a database ${name}`),
    ...roles.map(({ name }) => `a role ${name}`),
  ]
  const way = may
    ? `If nobody needs what is there: \`${commands}\`.`
    : `If nobody needs what is there, a superuser or whoever created it may type \`${commands}\`; ` +
      `${user} may not.`
  return refuse(
    `it has ${firstFew(taken, String).join(', ')} already`,
    `Take an empty server. ${way} Nothing was changed.`,
  )
}

/**
 * Throws where something has a name that is needed, and is not what an earlier attempt of ours left; or where
 * it is needed and cannot be made. Returns the databases that are used as they are.
 */
export const requireFree = async (
  scope: MoveScope,
  target: Target,
  wanted: Names,
  mark: string | undefined,
): Promise<readonly string[]> => {
  const { url } = target
  requireOtherUser(url.user, scope.source.role, wanted.roles)
  const found = await inTarget(scope, url, url.name, (client) => readMarked(client, wanted.databases))
  const others = found.databases.filter((each) => !isOurs(each, mark)).map(({ name }) => name)
  const given = [
    ...found.databases.filter((each) => isOurs(each, mark) && isGiven(each)).map(({ name }) => name),
    ...(await findGiven(scope, url, others)),
  ]
  const roles = found.roles.filter(
    (each) => wanted.roles.includes(each.name) && each.name !== url.user && !isOurs(each, mark),
  )
  requireRights(target, scope.source.role, {
    databases: wanted.databases.filter((name) => !given.includes(name)),
    roles: wanted.roles.filter((name) => name !== url.user),
  })
  const databases = found.databases.filter(({ name }) => others.includes(name) && !given.includes(name))
  if (databases.length + roles.length > 0) refuseTaken(url.user, databases, roles)
  return given
}
