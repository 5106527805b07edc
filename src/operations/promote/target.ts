import type { ClientConfig } from 'pg'
import { SupervisorError } from '../../errors.ts'
import { hostsOf, type Database } from '../../settings/database.ts'
import type { DatabaseUrl } from '../../settings/database-url.ts'
import type { Client } from '../../system/ports.ts'
import { connectionOf } from '../../units/postgres/connection.ts'
import { reachExternal } from '../../units/postgres/external.ts'
import { sentenceOf } from '../../units/postgres/failures.ts'
import type { OperationScope } from '../scope.ts'
import { connectAs, pidOf, type Source, withoutLimits } from './source.ts'

/** The server that an installation moves to, and who may do what there. */
export type Target = {
  readonly url: DatabaseUrl
  /** As `server_version_num` divided by 10,000. */
  readonly major: number
  /** Whether the user of the URL may create databases, and roles. */
  readonly may: { readonly createDatabases: boolean; readonly createRoles: boolean }
}

const oldest = 14
/** Dumps of this image are for it. */
const newest = 18

export const refuse = (why: string, hint?: string): never => {
  const options = hint === undefined ? {} : { hint }
  throw new SupervisorError('PROMOTE_REFUSED', `cannot move to that server: ${why}`, options)
}

const asDatabase = (url: DatabaseUrl): Database => ({ kind: 'external', ...url })

/** Connects as who is in the URL, and for as long as it takes. */
const waysTo = (scope: OperationScope, url: DatabaseUrl, database: string): readonly ClientConfig[] =>
  connectionOf({ ...scope, inForce: { database: asDatabase(url) } }).map((way) => ({
    ...way,
    database,
    query_timeout: 0,
  }))

export const inTarget = <T>(
  scope: OperationScope,
  url: DatabaseUrl,
  database: string,
  use: (client: Client) => Promise<T>,
): Promise<T> => connectAs(scope, 'it', waysTo(scope, url, database), withoutLimits(use))

/** The same before it is known whose the session is: a pooler would lend it to others, as it was left. */
const ask = <T>(scope: OperationScope, url: DatabaseUrl, use: (client: Client) => Promise<T>): Promise<T> =>
  connectAs(scope, 'it', waysTo(scope, url, url.name), use)

/** The way of Mathesar's role there: the one that is kept as DATABASE_URL. */
export const ofMathesar = (
  { role, internal }: Pick<Source, 'role' | 'internal'>,
  url: DatabaseUrl,
  password: string,
): DatabaseUrl => ({
  ...url,
  user: role,
  password: url.user === role ? url.password : password,
  name: internal,
})

type Rights = {
  readonly major: number
  readonly isSuper: boolean
  readonly mayCreateDatabases: boolean
  readonly mayCreateRoles: boolean
}

const readRights = async (client: Client): Promise<Rights> => {
  const { rows } = await client.query<Rights>(
    `SELECT pg_catalog.current_setting('server_version_num')::int / 10000 AS major,
        rolsuper AS "isSuper", rolsuper OR rolcreatedb AS "mayCreateDatabases",
        rolsuper OR rolcreaterole AS "mayCreateRoles"
      FROM pg_catalog.pg_roles WHERE rolname = current_user`,
  )
  return rows[0]!
}

const secondSessionMs = 5000

/**
 * Why sessions there are not ours alone, if so. A pooler in transaction mode gives the session of one, while
 * it is idle, to the transaction of another; a small one has no second session.
 */
export const whyPooled = (scope: OperationScope, url: DatabaseUrl): Promise<string | undefined> =>
  ask(scope, url, async (one) => {
    const first = await pidOf(one)
    const use = async (other: Client): Promise<string | undefined> => {
      await other.query('BEGIN')
      const second = await pidOf(other)
      await other.query('COMMIT')
      return first === second || first !== (await pidOf(one))
        ? 'a pooler is in front of it, which lends a session for one transaction at a time'
        : undefined
    }
    // Who has to wait for a session is told nothing.
    const ways = waysTo(scope, url, url.name).map((way) => ({ ...way, query_timeout: secondSessionMs }))
    return await connectAs(scope, 'it', ways, use).catch(
      ({ cause, message }: Error) =>
        `it has one session at a time to give: ${cause === undefined ? message : sentenceOf(cause)}`,
    )
  })

const requireVersion = ({ major }: Rights): void => {
  if (major < oldest || major > newest)
    refuse(`it is Postgres ${major}, and ${oldest} to ${newest} are what this image moves to`)
}

/** Throws unless an installation can be moved there. Nothing is changed. */
export const checkTarget = async (scope: OperationScope, url: DatabaseUrl): Promise<Target> => {
  const { system, place, inForce } = scope
  const never = new AbortController().signal // Who gives up ends the process.
  await reachExternal({ system, place, inForce: { ...inForce, database: asDatabase(url) } }, never)
  const rights = await ask(scope, url, readRights)
  requireVersion(rights)
  const why = await whyPooled(scope, url)
  if (why !== undefined)
    refuse(
      why,
      'Give the direct address of the server: hosts show it beside that of the pooler, often with port ' +
        '5432. Nothing was changed.',
    )
  const { major, mayCreateDatabases, mayCreateRoles } = rights
  return { url, major, may: { createDatabases: mayCreateDatabases, createRoles: mayCreateRoles } }
}

/** For people: without user and password. */
export const serverInWords = ({ host, port }: Pick<DatabaseUrl, 'host' | 'port'>): string =>
  `${hostsOf({ host }).join(',')}:${port}`
