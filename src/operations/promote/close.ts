import { SupervisorError } from '../../errors.ts'
import { formatDatabaseUrl } from '../../settings/database-url.ts'
import type { Client } from '../../system/ports.ts'
import { type Left, leftOf, rememberLeft } from '../../units/left.ts'
import { quoteName } from '../../units/postgres/quoting.ts'
import { namesOf } from '../../units/postgres/rows.ts'
import { closing } from './databases.ts'
import { inSource, type MoveScope } from './source.ts'

/**
 * The theory of closing.
 *
 * The locks of the copy end with it, and the other server is in force a second later: what somebody writes to
 * the old one in between would stay behind, though it was acknowledged. So the databases take no writes from
 * the pause on, and for good once the installation has left. Sessions that begin later are read-only, by a
 * setting of the database; those from before are ended, once locks keep them from having written. A session
 * has read its settings while it holds the lock of its start on the database: who does so is waited for.
 *
 * The volume says what was closed before it is, so that a start on the same server opens it again.
 */

const openQuery = `
  SELECT datname AS name FROM pg_catalog.pg_database d WHERE datname = ANY($1) AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_db_role_setting
      WHERE setdatabase = d.oid AND setrole = 0 AND '${closing}' = ANY(setconfig))`

/** From now on, new sessions cannot write. */
export const refuseWrites = async (
  scope: MoveScope,
  names: readonly string[],
  toFinish: Left['toFinish'],
): Promise<void> => {
  const { database, internal } = scope.source
  await inSource(scope, internal, async (client) => {
    const open = await namesOf(client, openQuery, [names])
    const before = leftOf(scope, database)?.closed ?? [] // An attempt that nobody could undo.
    rememberLeft(scope, {
      url: database.kind === 'embedded' ? null : formatDatabaseUrl(database),
      closed: [...new Set([...before, ...open])],
      toFinish,
    })
    for (const name of open)
      await client.query(`ALTER DATABASE ${quoteName(name)} SET ${closing.replace('=', ' = ')}`)
  })
}

const startingQuery = `
  SELECT pid FROM pg_catalog.pg_locks JOIN pg_catalog.pg_database d ON d.oid = objid
    WHERE locktype = 'object' AND classid = 'pg_catalog.pg_database'::regclass AND datname = ANY($1)
      AND mode = 'RowExclusiveLock' AND pid <> pg_catalog.pg_backend_pid()`

/** A role that may not see more of a session sees whose it is. Only a superuser may end a superuser's. */
const othersQuery = `
  SELECT pid, usename AS role, backend_start::text AS since
    FROM pg_catalog.pg_stat_activity JOIN pg_catalog.pg_roles r ON r.oid = usesysid
    WHERE datname = ANY($1) AND pid <> ALL($2) AND pid <> pg_catalog.pg_backend_pid()
      AND coalesce(backend_type, 'client backend') = 'client backend'
      AND (NOT rolsuper OR (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user))`

const limitMs = 5000
const pauseMs = 20

/** Asks again until nobody is left. Returns those who are after all. */
const untilNone = async <T>(
  { clock }: MoveScope['system'],
  ask: () => Promise<readonly T[]>,
): Promise<readonly T[]> => {
  const endMs = clock.elapsed() + limitMs
  for (;;) {
    const left = await ask()
    if (left.length === 0 || clock.elapsed() > endMs) return left
    await clock.delay(pauseMs)
  }
}

const pidsOf = async (client: Client, query: string, names: readonly string[]): Promise<readonly number[]> =>
  (await client.query<{ pid: number }>(query, [names])).rows.map(({ pid }) => pid)

type Session = { readonly pid: number; readonly role: string; readonly since: string | null }

/**
 * Ends the sessions from before, which cannot have written: the locks are held. Ours go on. Those that are
 * there once the closing is known to all count, whatever the clock of the server says.
 */
export const endOthers = async (
  scope: MoveScope,
  names: readonly string[],
  ours: readonly number[],
): Promise<void> => {
  const left = await inSource(scope, scope.source.internal, async (client) => {
    const starting = new Set(await pidsOf(client, startingQuery, names))
    await untilNone(scope.system, async () =>
      (await pidsOf(client, startingQuery, names)).filter((pid) => starting.has(pid)),
    )
    const look = async () => (await client.query<Session>(othersQuery, [names, ours])).rows
    const nameOf = ({ pid, since }: Session): string => `${pid} ${since}`
    const before = new Set((await look()).map(nameOf))
    return await untilNone(scope.system, async () => {
      const rows = (await look()).filter((session) => before.has(nameOf(session)))
      // Who may not is told at the end.
      for (const { pid } of rows)
        await client.query('SELECT pg_catalog.pg_terminate_backend($1)', [pid]).catch(() => {})
      return rows
    })
  })
  if (left.length === 0) return
  const roles = [...new Set(left.map(({ role }) => role))].join(', ')
  throw new SupervisorError(
    'PROMOTE_FAILED',
    'cannot move to that server: others are connected to the one that is left, and may go on writing: ' +
      roles,
    {
      hint:
        `End what is connected as ${roles}, or let Mathesar's role do it: \`GRANT pg_signal_backend TO ` +
        `${quoteName(scope.source.role)}\`. Nothing was changed: Mathesar serves as before.`,
    },
  )
}
