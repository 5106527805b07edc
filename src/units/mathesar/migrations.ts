import type { Client } from '../../system/ports.ts'
import { inWords } from '../../core/outcome.ts'
import { SupervisorError } from '../../errors.ts'
import { withDatabase } from '../postgres/connection.ts'
import { defineTask, type Scope } from '../unit.ts'
import { appliedMigrations, compareMigrations, type Migration } from './applied.ts'
import { appEnvironment } from './environment.ts'

/** An arbitrary number that all supervisors share: "math" in ASCII. */
const lockKey = 0x6d617468

type MigrationScope = Scope<'volume' | 'secrets'>

const migrate = async (scope: MigrationScope, signal: AbortSignal): Promise<void> => {
  const {
    system,
    place: { paths, identities },
  } = scope
  system.log.say('info', 'running migrations')
  const { outcome, lines } = await system.runProgram(
    'migrations',
    {
      argv: [`${paths.pythonBin}/python3`, '-m', 'mathesar.install'],
      cwd: paths.app,
      user: identities.mathesar,
      env: { ...appEnvironment(scope), SKIP_STATIC_COLLECTION: 'true' },
    },
    signal,
  )
  if (outcome.code === 0) return
  throw new SupervisorError(
    'MIGRATIONS_FAILED',
    `cannot migrate the internal database: Django ${inWords(outcome)}: ${lines.at(-1) ?? 'it said nothing'}`,
  )
}

const refuseNewer = (ahead: readonly Migration[]): never => {
  const more = ahead.length > 3 ? ` and ${ahead.length - 3} more` : ''
  throw new SupervisorError(
    'DATABASE_AHEAD',
    'cannot use the internal database: it has migrations that this image does not know: ' +
      `${ahead.slice(0, 3).join(', ')}${more}`,
  )
}

/**
 * Waits for the lock that one container holds while it migrates. It lives in a transaction: a pooler that
 * lends a connection for one transaction at a time would else keep a lock of the session,
 * and give it to nobody.
 */
const takeLock = async (
  { system, report }: Scope<never>,
  client: Client,
  signal: AbortSignal,
): Promise<void> => {
  for (let isTold = false; ; isTold = true) {
    await client.query('BEGIN')
    await client.query('SET LOCAL idle_in_transaction_session_timeout = 0')
    const { rows } = await client.query<{ locked: boolean }>(
      'SELECT pg_try_advisory_xact_lock($1) AS locked',
      [lockKey],
    )
    if (rows[0]?.locked) return
    await client.query('ROLLBACK')
    if (!isTold) system.log.say('info', 'another container runs the migrations: waiting for it')
    report('waits for another container that migrates')
    await system.clock.delay(500, signal)
  }
}

/**
 * Brings the internal database to this Mathesar, only when it is not there yet, and one container at a time.
 */
export const migrations = defineTask({
  name: 'migrations',
  needs: ['key', 'secrets', 'volume'],
  description: 'brings the internal database to this version of Mathesar',
  run: async (scope, signal) => {
    const { system, place, results, report } = scope
    const list = system.files.readIfThere(`${place.paths.share}/migrations.json`, 1024 * 1024)
    const image = list === undefined ? undefined : (JSON.parse(list) as Migration[])
    const isPending = async (client: Client): Promise<boolean> => {
      if (image === undefined) return true
      const { missing, ahead } = compareMigrations(image, await appliedMigrations(client))
      if (ahead.length > 0) refuseNewer(ahead)
      return missing.length > 0
    }
    return await withDatabase(scope, async (client) => {
      if (!(await isPending(client))) return undefined
      await takeLock(scope, client, signal)
      report(null)
      if (await isPending(client)) await migrate(scope, signal)
      else if (results.key.isNew) {
        system.log.say(
          'warn',
          'another container migrated the database meanwhile, with a key of its own: give both the ' +
            'same SECRET_KEY, else neither can read the passwords that the other stores',
        )
      }
      return undefined
    })
  },
})
