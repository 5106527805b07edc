import type { ClientConfig } from 'pg'
import { SupervisorError } from '../../errors.ts'
import type { Database } from '../../settings/database.ts'
import type { Client } from '../../system/ports.ts'
import { inRun } from '../../units/place.ts'
import {
  appRole,
  connectionOf,
  embeddedAs,
  internalDatabase,
  superuserStart,
} from '../../units/postgres/connection.ts'
import { isAnswer, isBroken, sentenceOf } from '../../units/postgres/failures.ts'
import { asMathesar, asSuperuserOf, libpqEnvironment } from '../../units/postgres/libpq.ts'
import type { OperationScope } from '../scope.ts'

/**
 * The server that an installation leaves: the embedded one, whose superuser we are, or another, of which we
 * know what Mathesar's role may see.
 */
export type Source = {
  readonly database: Database
  /** Of Mathesar there, and so on the other server. */
  readonly role: string
  /** The database of its own tables, by the same name on both. */
  readonly internal: string
  /** As Mathesar keeps its address. */
  readonly host: string
  readonly port: number
}

/** Of a move: `inForce` has the database that the act is about, `source` the one that is left. */
export type MoveScope = OperationScope & { readonly source: Source }

export const sourceOf = ({ place }: Pick<OperationScope, 'place'>, database: Database): Source =>
  database.kind === 'embedded'
    ? {
        database,
        role: appRole,
        internal: internalDatabase,
        host: inRun(place.paths).postgresSocket,
        port: 5432,
      }
    : { database, role: database.user, internal: database.name, host: database.host, port: database.port }

/** No setting of a role or database keeps it from what it does; what a server may not know comes later. */
const anyStart = [
  '-c search_path=pg_catalog',
  '-c default_transaction_read_only=off',
  '-c statement_timeout=0',
  '-c idle_in_transaction_session_timeout=0',
].join(' ')
const ownStart = `${superuserStart} -c role=none ${anyStart}`

/** How values are written, whatever a role or database says. */
const ownFormats = ['datestyle=ISO', 'intervalstyle=postgres', 'extra_float_digits=3', 'row_security=off']
  .map((setting) => `-c ${setting}`)
  .join(' ')

/** A database that was closed counts as one that takes writes: else it would be none of several to choose. */
const asApp = (scope: MoveScope): readonly ClientConfig[] =>
  connectionOf({ ...scope, inForce: { database: scope.source.database } }).map((way) => ({
    ...way,
    ...(scope.source.database.kind === 'embedded' ? {} : { options: anyStart }),
    query_timeout: 0,
  }))

/** What a host sets for its roles and databases; not every version has all of them. */
const limits = [
  'statement_timeout',
  'lock_timeout',
  'transaction_timeout',
  'idle_session_timeout',
  'idle_in_transaction_session_timeout',
]

/** Lets a session take as long as it needs. */
export const endLimits = `SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings
  WHERE name = ANY ('{${limits.join(',')}}')`

/** With a session that takes as long as it needs. */
export const withoutLimits =
  <T>(use: (client: Client) => Promise<T>) =>
  async (client: Client): Promise<T> => {
    await client.query(endLimits)
    return await use(client)
  }

/** What a server says no to is its word, not a fault of ours. `who` is the one that says it. */
export const connectAs = async <T>(
  { system }: Pick<OperationScope, 'system'>,
  who: 'it' | 'the one that is left',
  ways: readonly ClientConfig[],
  use: (client: Client) => Promise<T>,
): Promise<T> => {
  try {
    return await system.withClient(ways, use)
  } catch (cause) {
    if (cause instanceof SupervisorError || !(isAnswer(cause) || isBroken(cause))) throw cause
    const why = `cannot move to that server: ${who} says: ${system.log.redact(sentenceOf(cause))}`
    throw new SupervisorError('PROMOTE_FAILED', why, { cause })
  }
}

/**
 * As Mathesar's role in its own database: what somebody put in the place of one of its tables gains nothing.
 */
export const inSourceAsApp = <T>(scope: MoveScope, use: (client: Client) => Promise<T>): Promise<T> =>
  connectAs(scope, 'the one that is left', asApp(scope), withoutLimits(use))

/** As whoever may see most there, for as long as it takes; a superuser reads the catalog alone. */
export const inSource = <T>(
  scope: MoveScope,
  database: string,
  use: (client: Client) => Promise<T>,
): Promise<T> => {
  const { place, results, source } = scope
  const asSuperuser = {
    ...embeddedAs(place, 'postgres', database),
    options: ownStart,
    password: results.secrets.superuserPassword,
    query_timeout: 0,
  }
  const ways =
    source.database.kind === 'embedded' ? [asSuperuser] : asApp(scope).map((way) => ({ ...way, database }))
  return connectAs(scope, 'the one that is left', ways, withoutLimits(use))
}

/** Of the session at its server. */
export const pidOf = async (client: Client): Promise<number> =>
  (await client.query<{ pid: number }>('SELECT pg_catalog.pg_backend_pid() AS pid')).rows[0]!.pid

/** How a program of Postgres gets there. */
export const programInSource = ({ place, results, source }: MoveScope, database: string) => {
  const { paths, identities } = place
  const isEmbedded = source.database.kind === 'embedded'
  return {
    env: libpqEnvironment(place, {
      ...(isEmbedded
        ? asSuperuserOf(paths, results.secrets.superuserPassword)
        : asMathesar(paths, source.database)),
      PGDATABASE: database,
      PGOPTIONS: `${isEmbedded ? ownStart : anyStart} ${ownFormats}`,
      PGCLIENTENCODING: 'UTF8',
    }),
    user: isEmbedded ? identities.postgres : identities.mathesar,
    cwd: '/',
  }
}
