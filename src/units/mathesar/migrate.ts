import { inWords } from '../../core/outcome.ts'
import { SupervisorError } from '../../errors.ts'
import type { Client, ProgramResult } from '../../system/ports.ts'
import { readAppVersion } from '../manifest.ts'
import type { Scope } from '../unit.ts'
import { databasesEnvironment, isAfterAnother } from './connected.ts'
import { appEnvironment, appProgram, withAdmin } from './environment.ts'

/** What Postgres adds to the sentence of an error: where in the query, and what else. */
const isAddition = (line: string): boolean => /^(\s|LINE \d+:|(DETAIL|HINT|CONTEXT|QUERY):)/.test(line)

/** The line that names the exception: what Python writes last is often a caret below a line of SQL. */
const reasonOf = (lines: readonly string[]): string => {
  const told = lines.slice(lines.lastIndexOf('Traceback (most recent call last):') + 1)
  const named = told.length < lines.length ? told.find((line) => !isAddition(line)) : undefined
  return named ?? told.findLast((line) => !isAddition(line)) ?? 'it said nothing'
}

/** The last line of `migrate.py` says why, and what Python wrote where that did not come so far. */
const refusalOf = ({ outcome, lines }: ProgramResult): SupervisorError => {
  const last = lines.at(-1) ?? ''
  const why = last.startsWith('ERROR ')
    ? last.slice('ERROR '.length)
    : `Django ${inWords(outcome)}: ${reasonOf(lines)}`
  return new SupervisorError(
    'MIGRATIONS_FAILED',
    `cannot migrate the internal database: ${why}`,
    outcome.code === partlyCode
      ? { hint: 'The migrations before it are in force. The log says what failed.' }
      : {},
  )
}

/** `migrate.py` ends with it where what was done before the failure stays. */
const partlyCode = 2

/** How often the connection that holds the lock is asked whether it is there; at most so long two migrate. */
const pollMs = 1000

type Step = { readonly step: string; readonly blockers: string | null }

/** `migrate.py` says in its application_name where it is. */
const findStep = async (client: Client): Promise<string | null> => {
  // Within a transaction Postgres shows the same activity again and again.
  await client.query('SELECT pg_catalog.pg_stat_clear_snapshot()')
  const { rows } = await client.query<Step>(
    `SELECT application_name AS step,
        (SELECT pg_catalog.string_agg(
            pg_catalog.format('role %s, process %s', blocker.usename, blocker.pid), '; ')
          FROM pg_catalog.pg_stat_activity AS blocker
          WHERE blocker.pid = ANY (pg_catalog.pg_blocking_pids(activity.pid))) AS blockers
      FROM pg_catalog.pg_stat_activity AS activity
      WHERE datname = pg_catalog.current_database()
        AND application_name ~ '^(migration |connected databases: )' LIMIT 1`,
  )
  const [found] = rows
  if (found === undefined) return null
  const waits = found.blockers === null ? '' : `; it waits for a lock (${found.blockers.slice(0, 200)})`
  return `${found.step}${waits}`.replaceAll(/[^\x20-\x7e]/g, '?')
}

/**
 * Does what needs the lock, and says where it is. It is cut off when the connection breaks: the lock is
 * another's to take then.
 */
const whileLocked = async (
  { system: { clock, log }, report }: Scope<never>,
  client: Client,
  signal: AbortSignal,
  act: (signal: AbortSignal) => Promise<void>,
): Promise<void> => {
  const [over, lost] = [new AbortController(), new AbortController()]
  const ended = AbortSignal.any([signal, over.signal])
  const poll = async (): Promise<void> => {
    for (let last: string | null = null; ;) {
      await clock.delay(pollMs, ended)
      const step = await findStep(client)
      if (step !== last && step?.includes('it waits')) log.say('warn', step)
      report(step)
      last = step
    }
  }
  const polling = poll().catch((error: unknown) => {
    if (!ended.aborted) lost.abort(error)
  })
  try {
    await act(AbortSignal.any([signal, lost.signal]))
  } finally {
    over.abort()
    await polling
    report(null)
  }
}

/**
 * Runs all migrations that are missing, with the lock that `client` holds: all of them, or none. The
 * connected databases come along, since Mathesar's code is loaded by then; those that do not are left to the
 * task `user-databases`.
 */
export const migrate = async (
  scope: Scope<'volume' | 'secrets'>,
  client: Client,
  signal: AbortSignal,
): Promise<void> => {
  const isAll = isAfterAnother(scope, readAppVersion(scope))
  const command = appProgram(scope.place, ['migrate.py'], {
    ...appEnvironment(scope),
    ...withAdmin,
    ...databasesEnvironment(scope, { isAll, isAwaited: true }),
  })
  await whileLocked(scope, client, signal, async (unlessLost) => {
    const result = await scope.system.runProgram('migrations', command, unlessLost)
    if (result.outcome.code !== 0) throw refusalOf(result)
  })
}
