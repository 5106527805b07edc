import { inWords } from '../../core/outcome.ts'
import type { Client } from '../../system/ports.ts'
import { readAppVersion, readServedVersion } from '../manifest.ts'
import { inRun, ownProgram } from '../place.ts'
import { codeOf, isAnswer } from '../postgres/failures.ts'
import { inTransaction, withDatabase } from '../postgres/connection.ts'
import { defineTask, type Scope } from '../unit.ts'
import { appEnvironment } from './environment.ts'
import { neverMigrates } from './migrations.ts'
import { forgetPast } from './past.ts'

/** How long visitors wait for it after an upgrade: a database takes about a second. */
const patienceMs = 15_000

type Change = {
  readonly version: string
  /** Whether another Mathesar served last: then no record of what a database has is believed. */
  readonly isOther: boolean
}

const nothingToDo = { ended: Promise.resolve() }

type Found = {
  /** How many databases have the SQL of another Mathesar. */
  readonly behind: number
  /** Whether a moment that was served beside is still known, after a kill or in a copy from elsewhere. */
  readonly hasPast: boolean
}

/** One that we do not know may have no such tables. */
const look = async (client: Client, { version, isOther }: Change, past: string): Promise<Found> => {
  try {
    const { rows } = await client.query<{ behind: string; hasPast: boolean }>(
      `SELECT count(*) FILTER (WHERE host <> $3 AND ($2 OR last_confirmed_sql_version <> $1)) AS behind,
          EXISTS (SELECT FROM mathesar_server WHERE host = $3) AS "hasPast"
        FROM mathesar_database JOIN mathesar_server AS server ON server.id = server_id`,
      [version, isOther, past],
    )
    return { behind: Number(rows[0]?.behind ?? 0), hasPast: rows[0]?.hasPast ?? false }
  } catch (error) {
    if (isAnswer(error) && codeOf(error).startsWith('42')) return { behind: 0, hasPast: false }
    throw error
  }
}

const upgrade = async (
  scope: Scope<'volume' | 'secrets'>,
  { isOther }: Change,
  signal: AbortSignal,
): Promise<void> => {
  const { system, place, report } = scope
  const { paths, identities } = place
  const command = {
    argv: [`${paths.pythonBin}/python3`, ownProgram(paths, 'upgrade_databases.py')] as const,
    cwd: paths.app,
    user: identities.mathesar,
    env: {
      ...appEnvironment(scope),
      PGCONNECT_TIMEOUT: '5',
      ...(isOther ? { UPGRADE_ALL: '1' } : {}),
      // A trial on a copy leaves the servers of others alone.
      ...(place.environment.SUPERVISOR_TRIAL ? { UPGRADE_ON_HOST: inRun(paths).postgresSocket } : {}),
    },
  }
  const { outcome, lines } = await system.runProgram('user-databases', command, signal)
  const failed = lines
    .filter((line) => line.startsWith('WARNING '))
    .map((line) => line.slice('WARNING '.length))
  if (outcome.code !== 0) failed.push(`Django ${inWords(outcome)}: ${lines.at(-1) ?? 'it said nothing'}`)
  report(failed.length === 0 ? null : `not upgraded: ${failed.join('; ').slice(0, 500)}`)
}

/**
 * Gives the connected databases the SQL of this Mathesar. Else its home page would let nobody in before an
 * administrator has clicked for each. No failure keeps Mathesar from serving: that button is still there.
 */
export const userDatabases = defineTask({
  name: 'user-databases',
  needs: ['migrations', 'secrets', 'volume'],
  description: "brings Mathesar's SQL in the connected databases to this version",
  run: async (scope, signal) => {
    const { system } = scope
    const version = readAppVersion(scope)
    if (version === null || neverMigrates(scope.inForce)) return nothingToDo
    const served = readServedVersion(scope)
    const change: Change = { version, isOther: served !== undefined && served !== version }
    // A start that was cut off may have gone back to the version before, and not be in the manifest.
    const hasChanged = change.isOther || scope.results.migrations.hasChanged
    const past = inRun(scope.place.paths).pastSocket
    const { behind, hasPast } = await withDatabase(scope, (client) =>
      inTransaction(client, () => look(client, change, past)),
    )
    if (behind === 0 && !hasPast) return nothingToDo
    const bring = async (): Promise<void> => {
      if (hasPast) await forgetPast(scope, signal)
      if (behind > 0) await upgrade(scope, change, signal)
    }
    if (behind > 0)
      system.log.say(
        'info',
        `connected databases with the SQL of another Mathesar: ${behind}; they are brought to ${version}`,
      )
    const brought = new AbortController()
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    system.inBackground('upgrade the connected databases', async () => {
      await bring()
        .finally(() => brought.abort())
        .finally(end)
        .catch((error: unknown) => {
          if (!signal.aborted) throw error // A stop cuts it off, and the next start goes on.
        })
    })
    if (hasChanged && behind > 0)
      await system.clock.delay(patienceMs, AbortSignal.any([signal, brought.signal])).catch(() => {})
    signal.throwIfAborted()
    return { ended }
  },
})
