import { undoConfig } from '../place.ts'
import type { Results } from '../results.ts'
import type { Scope } from '../unit.ts'
import type { Base } from '../undo.ts'
import { asSuperuser } from './connection.ts'

/** What the keeper of undo asks of Postgres, which may be away just then. */

type Where = Pick<Scope<never>, 'system' | 'place' | 'inForce'> & { readonly results: Partial<Results> }

/** What Postgres cannot answer now it is asked again later. */
const ask = async <Row extends Record<string, unknown>>(
  where: Where,
  sql: string,
): Promise<Row | undefined> => {
  const { system, place, inForce, results } = where
  const { secrets, cluster } = results
  if (secrets === undefined || cluster === undefined) return undefined
  const scope = { system, place, inForce, isBoot: false, report: () => {}, results: { secrets, cluster } }
  try {
    return await asSuperuser(scope, async (client) => (await client.query<Row>(sql)).rows[0])
  } catch (error) {
    system.log.say('debug', `cannot ask Postgres for an undo: ${(error as Error).message}`)
    return undefined
  }
}

/** Bytes of log since a base was begun. */
export const logSince = async (where: Where, { startLsn }: Base): Promise<number | undefined> => {
  const sql = `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '${startLsn}')::float8 AS bytes`
  return (await ask<{ bytes: number }>(where, sql))?.bytes
}

/** Has Postgres let go of the log that it keeps for an undo, at once. */
export const letGoOfLog = async (where: Where): Promise<void> => {
  where.system.files.writeWhole(undoConfig(where.place.paths), 'wal_keep_size = 0\n', 0o644)
  await ask(where, 'SELECT pg_reload_conf()')
  await ask(where, 'CHECKPOINT')
}

/** Has it keep the log again. */
export const keepLog = async (where: Where): Promise<void> => {
  where.system.files.writeWhole(undoConfig(where.place.paths), '', 0o644)
  await ask(where, 'SELECT pg_reload_conf()')
}
