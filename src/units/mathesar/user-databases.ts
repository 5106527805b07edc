import { failureOf } from '../../core/outcome.ts'
import type { Client } from '../../system/ports.ts'
import { readAppVersion } from '../manifest.ts'
import { inRun } from '../place.ts'
import { codeOf, isAnswer } from '../postgres/failures.ts'
import { inTransaction, withDatabase } from '../postgres/connection.ts'
import { defineTask, type Scope } from '../unit.ts'
import { databasesEnvironment, type How, isAfterAnother } from './connected.ts'
import { appEnvironment, appProgram } from './environment.ts'
import { neverMigrates } from './migrations.ts'
import { forgetPast } from './past.ts'

const nothingToDo = { ended: Promise.resolve() }

type Found = {
  /** How many databases have the SQL of another Mathesar. */
  readonly behind: number
  /** Whether a moment that was served beside is still known, after a kill or in a copy from elsewhere. */
  readonly hasPast: boolean
}

/** One that we do not know may have no such tables. */
const look = async (client: Client, ...asked: [version: string, isAll: boolean, past: string]) => {
  try {
    const { rows } = await client.query<{ behind: string; hasPast: boolean }>(
      `SELECT count(*) FILTER (WHERE host <> $3 AND ($2 OR last_confirmed_sql_version <> $1)) AS behind,
          EXISTS (SELECT FROM mathesar_server WHERE host = $3) AS "hasPast"
        FROM mathesar_database JOIN mathesar_server AS server ON server.id = server_id`,
      asked,
    )
    return { behind: Number(rows[0]?.behind ?? 0), hasPast: rows[0]?.hasPast ?? false }
  } catch (error) {
    if (isAnswer(error) && codeOf(error).startsWith('42')) return { behind: 0, hasPast: false }
    throw error
  }
}

const upgrade = async (scope: Scope<'volume' | 'secrets'>, how: How, signal: AbortSignal): Promise<void> => {
  const { system, place, report } = scope
  const env = { ...appEnvironment(scope), ...databasesEnvironment(scope, how) }
  const command = appProgram(place, ['user_databases.py'], env)
  const ended = await system.runProgram('user-databases', command, signal)
  const failed = ended.lines
    .filter((line) => line.startsWith('WARNING '))
    .map((line) => line.slice('WARNING '.length))
  if (ended.outcome.code !== 0) failed.push(failureOf('Django', ended))
  report(failed.length === 0 ? null : `not upgraded: ${failed.join('; ').slice(0, 500)}`)
}

/**
 * Gives the connected databases the SQL of this Mathesar, where the migrations have not brought them along.
 * Else its home page would let nobody in before an administrator has clicked for each. No failure keeps
 * Mathesar from serving: that button is still there.
 */
export const userDatabases = defineTask({
  name: 'user-databases',
  needs: ['migrations', 'secrets', 'volume'],
  description: "brings Mathesar's SQL in the connected databases to this version",
  run: async (scope, signal) => {
    const { system } = scope
    const version = readAppVersion(scope)
    if (version === null || neverMigrates(scope.inForce)) return nothingToDo
    const { brought } = scope.results.migrations
    const isAll = brought !== 'forth' && isAfterAnother(scope, version)
    // A start that was cut off may have gone back to the version before, and not be in the manifest.
    const isAwaited = isAll || brought === 'back'
    const past = inRun(scope.place.paths).pastSocket
    const lookNow = (all: boolean): Promise<Found> =>
      withDatabase(scope, (client) => inTransaction(client, () => look(client, version, all, past)))
    const found = await lookNow(isAll)
    if (found.behind > 0)
      system.log.say(
        'info',
        `connected databases with the SQL of another Mathesar: ${found.behind}; ` +
          `they are brought to ${version}`,
      )
    const isBroughtFirst = isAwaited && found.behind > 0
    if (isBroughtFirst) await upgrade(scope, { isAll, isAwaited }, signal)
    const { behind, hasPast } = isBroughtFirst ? await lookNow(false) : found
    if (behind === 0 && !hasPast) return nothingToDo
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    const goOn = async (): Promise<void> => {
      if (hasPast) await forgetPast(scope, signal)
      if (behind > 0) await upgrade(scope, { isAll: false, isAwaited: false }, signal)
    }
    system.inBackground('upgrade the connected databases', async () => {
      await goOn()
        .finally(end)
        .catch((error: unknown) => {
          if (!signal.aborted) throw error // A stop cuts it off, and the next start goes on.
        })
    })
    return { ended }
  },
})
