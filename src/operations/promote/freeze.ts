import type { Client } from '../../system/ports.ts'
import { codeOf } from '../../units/postgres/failures.ts'
import { inSource, type MoveScope, pidOf } from './source.ts'

/** How long to wait for those who are writing just then. */
const lockTimeout = '10s'

const tablesQuery = `
  SELECT string_agg(format('%I.%I', nspname, relname), ', ' ORDER BY c.oid) AS tables
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'p') AND relpersistence <> 't' AND nspname <> 'information_schema'
      AND nspname !~ '^pg_' AND NOT EXISTS (SELECT FROM pg_depend
        WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')`

/**
 * What a change of tables or large objects writes, and of databases and roles. A dump itself locks
 * pg_largeobject. Only a superuser may lock them, or look for deadlocks sooner.
 */
const catalog = ['pg_class', 'pg_largeobject_metadata']
const shared = ['pg_database', 'pg_authid', 'pg_auth_members']

/** Not even a row may be locked by others: that changes what says whether it was written. */
const tablesMode = 'EXCLUSIVE'

const lockAll = async (client: Client, catalogs: readonly string[]): Promise<void> => {
  // Whatever a database has as its own: each command sees what was committed while it waited for a lock.
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED')
  await client.query(`SET LOCAL lock_timeout = '${lockTimeout}'`)
  if (catalogs.length > 0) await client.query("SET LOCAL deadlock_timeout = '100ms'")
  const lockTables = async (): Promise<void> => {
    const tables = (await client.query<{ tables: string | null }>(tablesQuery)).rows[0]?.tables
    if (tables) await client.query(`LOCK TABLE ${tables} IN ${tablesMode} MODE`)
  }
  await lockTables()
  if (catalogs.length > 0) await client.query(`LOCK TABLE ${catalogs.join(', ')} IN SHARE MODE`)
  await lockTables() // Those that were made meanwhile.
}

/** Who has one of the locks may wait for another, as a vacuum does: that goes on first. */
const isDeadlock = (error: unknown): boolean => codeOf(error) === '40P01'
const lockAttempts = 10

const freeze = async (client: Client, catalogs: readonly string[]): Promise<void> => {
  for (let attempt = 1; ; attempt++)
    try {
      return await lockAll(client, catalogs)
    } catch (error) {
      if (!isDeadlock(error) || attempt === lockAttempts) throw error
      await client.query('ROLLBACK')
    }
}

/**
 * A server at work for somebody who is gone holds the locks until it is done, unless it looks; not every
 * system lets it.
 */
const looking = "SELECT set_config('client_connection_check_interval', '1s', false)"

/** Acts with a connection to each database, all at once; `open` is called with one after the other. */
const inEach = async <Each, T>(
  scope: MoveScope,
  [name, ...others]: readonly string[],
  act: (all: readonly Each[]) => Promise<T>,
  open: (client: Client, name: string) => Promise<Each>,
  opened: readonly Each[] = [],
): Promise<T> => {
  if (name === undefined) return await act(opened)
  return await inSource(scope, name, async (client) => {
    await client.query(looking).catch(() => {})
    return await inEach(scope, others, act, open, [...opened, await open(client, name)])
  })
}

export type Frozen = { readonly name: string; readonly client: Client; readonly pid: number }

/**
 * Acts while nobody can write to any of the databases. The locks are those of sessions: whatever ends this
 * process ends them, and nothing has to be undone.
 */
export const whileFrozen = <T>(
  scope: MoveScope,
  names: readonly string[],
  act: (frozen: readonly Frozen[]) => Promise<T>,
): Promise<T> =>
  inEach(scope, names, act, async (client, name) => {
    const isOurs = scope.source.database.kind === 'embedded'
    const catalogs = isOurs ? [...(name === names[0] ? shared : []), ...catalog] : []
    await freeze(client, catalogs)
    return { name, client, pid: await pidOf(client) }
  })

export type Held = {
  readonly name: string
  readonly client: Client
  readonly pid: number
  /** By which others see what the client sees, for as long as its transaction lasts. */
  readonly snapshot: string
  /** Every transaction before this one had ended by then. */
  readonly oldest: string
}

/** Acts while each database can be read as it is now, however much is written meanwhile. */
export const whileHeld = <T>(
  scope: MoveScope,
  names: readonly string[],
  act: (held: readonly Held[]) => Promise<T>,
): Promise<T> =>
  inEach(scope, names, act, async (client, name) => {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ')
    const { rows } = await client.query<{ snapshot: string; oldest: string }>(
      `SELECT pg_export_snapshot() AS snapshot,
        pg_snapshot_xmin(pg_current_snapshot())::xid::text AS oldest`,
    )
    return { name, client, pid: await pidOf(client), ...rows[0]! }
  })
