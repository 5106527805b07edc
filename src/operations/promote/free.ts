import { firstFew } from '../../core/message.ts'
import type { Client } from '../../system/ports.ts'
import { quoteName } from '../../units/postgres/quoting.ts'
import { findGiven, isGiven, isOurs, type Marked } from './given.ts'
import type { MoveScope } from './source.ts'
import { inTarget, refuse, type Target } from './target.ts'

/** Whether the names that are needed are free, and may be taken. */

type Owned = Marked & {
  readonly owner: string
  /** Whether the user of the URL may drop it. */
  readonly mayDrop: boolean
}

const readMarked = async (
  client: Client,
  names: readonly string[],
): Promise<{ readonly databases: readonly Owned[]; readonly roles: readonly Marked[] }> => ({
  databases: (
    await client.query<Owned>(
      `SELECT datname AS name, pg_catalog.shobj_description(oid, 'pg_database') AS comment,
        pg_catalog.pg_get_userbyid(datdba) AS owner, pg_catalog.pg_has_role(datdba, 'USAGE') AS "mayDrop"
        FROM pg_catalog.pg_database WHERE datname = ANY($1)`,
      [names],
    )
  ).rows,
  roles: (
    await client.query<Marked>(
      `SELECT rolname AS name, pg_catalog.shobj_description(oid, 'pg_authid') AS comment
        FROM pg_catalog.pg_roles WHERE oid >= 16384`,
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
  const databases = others.filter((name) => !given.includes(name))
  const roles = found.roles
    .filter((each) => wanted.roles.includes(each.name) && each.name !== url.user && !isOurs(each, mark))
    .map(({ name }) => name)
  requireRights(target, scope.source.role, {
    databases: wanted.databases.filter((name) => !given.includes(name)),
    roles: wanted.roles.filter((name) => name !== url.user),
  })
  const owners = found.databases.flatMap(({ name, owner, mayDrop }) =>
    mayDrop || !databases.includes(name) ? [] : [owner],
  )
  const drops = [
    ...[...new Set(owners)].map((owner) => `GRANT ${quoteName(owner)} TO ${quoteName(url.user)}`),
    ...databases.map((name) => `DROP DATABASE ${quoteName(name)}`),
    ...roles.map((name) => `DROP ROLE ${quoteName(name)}`),
  ]
  if (drops.length === 0) return given
  const names = [...databases.map((name) => `a database ${name}`), ...roles.map((name) => `a role ${name}`)]
  return refuse(
    `it has ${firstFew(names, String).join(', ')} already`,
    `Take an empty server. If nobody needs what is there: \`${drops.join('; ')}\`. Nothing was changed.`,
  )
}
