import type { Client } from '../../system/ports.ts'
import { appRole, embeddedAs, internalDatabase, superuserStart } from '../../units/postgres/connection.ts'
import { codeOf } from '../../units/postgres/failures.ts'
import type { OperationScope } from '../scope.ts'

/** Whoever writes just then is waited for that long. */
const lockTimeout = '10s'

/** No setting of a role or database keeps it from what it does. */
export const ownStart = [
  superuserStart,
  '-c role=none',
  '-c default_transaction_read_only=off',
  '-c statement_timeout=0',
  '-c idle_in_transaction_session_timeout=0',
].join(' ')

/**
 * As Mathesar's role in its own database: what somebody put in the place of one of its tables gains nothing.
 */
export const inSourceAsApp = <T>(
  { system, place }: OperationScope,
  use: (client: Client) => Promise<T>,
): Promise<T> =>
  system.withClient([{ ...embeddedAs(place, appRole, internalDatabase), query_timeout: 0 }], use)

/** As the superuser of the embedded server, for as long as it takes; it reads the catalog alone. */
export const inSource = <T>(
  { system, place, results }: OperationScope,
  database: string,
  use: (client: Client) => Promise<T>,
): Promise<T> =>
  system.withClient(
    [
      {
        ...embeddedAs(place, 'postgres', database),
        options: ownStart,
        password: results.secrets.superuserPassword,
        query_timeout: 0,
      },
    ],
    use,
  )

const tablesQuery = `
  SELECT string_agg(format('%I.%I', nspname, relname), ', ' ORDER BY c.oid) AS tables
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'p') AND relpersistence <> 't' AND nspname <> 'information_schema'
      AND nspname !~ '^pg_'`

/** What a change of tables or large objects writes. A dump itself locks pg_largeobject. */
const catalog = ['pg_class', 'pg_largeobject_metadata']

/** Not even a row may be locked by others: that changes what says whether it was written. */
const tablesMode = 'EXCLUSIVE'

const lockAll = async (client: Client, isFirst: boolean): Promise<void> => {
  await client.query('BEGIN')
  await client.query(`SET LOCAL lock_timeout = '${lockTimeout}'; SET LOCAL deadlock_timeout = '100ms'`)
  const lockTables = async (): Promise<void> => {
    const tables = (await client.query<{ tables: string | null }>(tablesQuery)).rows[0]?.tables
    if (tables) await client.query(`LOCK TABLE ${tables} IN ${tablesMode} MODE`)
  }
  await lockTables()
  const shared = isFirst ? ['pg_database', 'pg_authid', 'pg_auth_members'] : []
  await client.query(`LOCK TABLE ${[...shared, ...catalog].join(', ')} IN SHARE MODE`)
  await lockTables() // Those that were made meanwhile.
}

/** Who has one of the locks may wait for another, as a vacuum does: that goes on first. */
const isDeadlock = (error: unknown): boolean => codeOf(error) === '40P01'
const lockAttempts = 10

const freeze = async (client: Client, isFirst: boolean): Promise<void> => {
  for (let attempt = 1; ; attempt++)
    try {
      return await lockAll(client, isFirst)
    } catch (error) {
      if (!isDeadlock(error) || attempt === lockAttempts) throw error
      await client.query('ROLLBACK')
    }
}

/** Acts with a connection to each database, all at once; `open` is called with one after the other. */
const inEach = async <Each, T>(
  scope: OperationScope,
  [name, ...others]: readonly string[],
  act: (all: readonly Each[]) => Promise<T>,
  open: (client: Client, name: string) => Promise<Each>,
  opened: readonly Each[] = [],
): Promise<T> => {
  if (name === undefined) return await act(opened)
  return await inSource(scope, name, async (client) =>
    inEach(scope, others, act, open, [...opened, await open(client, name)]),
  )
}

export type Frozen = { readonly name: string; readonly client: Client }

/**
 * Acts while nobody can write to any of the databases. The locks are those of sessions: whatever ends this
 * process ends them, and nothing has to be undone.
 */
export const whileFrozen = <T>(
  scope: OperationScope,
  names: readonly string[],
  act: (frozen: readonly Frozen[]) => Promise<T>,
): Promise<T> =>
  inEach(scope, names, act, async (client, name) => {
    await freeze(client, name === names[0])
    return { name, client }
  })

export type Held = {
  readonly name: string
  readonly client: Client
  /** By which others see what the client sees, for as long as its transaction lasts. */
  readonly snapshot: string
  /** Every transaction before this one had ended by then. */
  readonly oldest: string
}

/** Acts while each database can be read as it is now, however much is written meanwhile. */
export const whileHeld = <T>(
  scope: OperationScope,
  names: readonly string[],
  act: (held: readonly Held[]) => Promise<T>,
): Promise<T> =>
  inEach(scope, names, act, async (client, name) => {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
    const { rows } = await client.query<{ snapshot: string; oldest: string }>(
      `SELECT pg_export_snapshot() AS snapshot,
        pg_snapshot_xmin(pg_current_snapshot())::xid::text AS oldest`,
    )
    return { name, client, ...rows[0]! }
  })
