import { SupervisorError } from '../../errors.ts'
import { undoConfig } from '../place.ts'
import type { Results } from '../results.ts'
import type { Where } from '../unit.ts'
import type { Base } from '../undo.ts'
import { asSuperuser, type DatabaseScope } from './connection.ts'

/** What the keeper of undo asks of Postgres, which may be away just then. */

type Tools = DatabaseScope & { readonly results: Partial<Results> }

/** What Postgres cannot answer now it is asked again later. */
const ask = async <Row extends Record<string, unknown>>(
  where: Tools,
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
export const logSince = async (where: Tools, { startLsn }: Base): Promise<number | undefined> => {
  const sql = `SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '${startLsn}')::float8 AS bytes`
  return (await ask<{ bytes: number }>(where, sql))?.bytes
}

/** Has Postgres let go of the log that it keeps for an undo, at once. */
export const letGoOfLog = async (where: Tools): Promise<void> => {
  where.system.files.writeWhole(undoConfig(where.place.paths), 'wal_keep_size = 0\n', 0o644)
  await ask(where, 'SELECT pg_reload_conf()')
  await ask(where, 'CHECKPOINT')
}

/**
 * Has it keep all of its log, also in the checkpoint with which it stops. Throws where it does not yet: it
 * reads its configuration in its own time.
 */
export const keepAllLog = async (where: Tools, stopping: AbortSignal): Promise<void> => {
  where.system.files.writeWhole(undoConfig(where.place.paths), "wal_keep_size = '1TB'\n", 0o644)
  await ask(where, 'SELECT pg_reload_conf()')
  const sql = `SELECT setting::float8 >= 1048576 AS keeps FROM pg_settings WHERE name = 'wal_keep_size'`
  for (let left = 50; left > 0; left--) {
    if ((await ask<{ keeps: boolean }>(where, sql))?.keeps === true) return
    await where.system.clock.delay(100, stopping).catch(() => stopping.throwIfAborted())
  }
  throw new SupervisorError('MOVE_FAILED', 'cannot have Postgres keep its log: it does not say that it does')
}

/** What it keeps from its next start on is as the settings say. */
export const forgetLogRules = ({ system, place }: Where): void =>
  void system.files.writeWhole(undoConfig(place.paths), '', 0o644)

/** Has it keep the log as the settings say. */
export const keepLog = async (where: Tools): Promise<void> => {
  forgetLogRules(where)
  await ask(where, 'SELECT pg_reload_conf()')
}
