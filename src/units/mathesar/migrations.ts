import type { Client } from '../../system/ports.ts'
import { SupervisorError } from '../../errors.ts'
import { internalDatabase, inTransaction, withDatabase } from '../postgres/connection.ts'
import { defineTask, type Scope } from '../unit.ts'
import { appliedMigrations, compareMigrations, type Migration } from './applied.ts'
import { migrate } from './migrate.ts'

/** An arbitrary number that all supervisors share: "math" in ASCII. */
const lockKey = 0x6d617468

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
    const { rows } = await client.query<{ locked: boolean }>(
      'SELECT pg_try_advisory_xact_lock($1) AS locked',
      [lockKey],
    )
    if (rows[0]?.locked) break
    if (!isTold) system.log.say('info', 'another container runs the migrations: waiting for it')
    report('waits for another container that migrates')
    await system.clock.delay(500, signal)
  }
  report(null)
}

/** Who may create no tables is told what to type: Django fails with a line of SQL and a caret. */
const requireCreate = async ({ inForce: { database } }: Scope<never>, client: Client): Promise<void> => {
  const { rows } = await client.query<{ command: string; schema: string; role: string }>(
    `SELECT schema, current_user AS role,
        pg_catalog.format('GRANT USAGE, CREATE ON SCHEMA %I TO %I', schema, current_user) AS command
      FROM (SELECT coalesce(pg_catalog.current_schema(), 'public') AS schema) AS target
      WHERE pg_catalog.current_schema() IS NULL OR NOT pg_catalog.has_schema_privilege(schema, 'CREATE')`,
  )
  const [lacking] = rows
  if (lacking === undefined) return
  const name = database.kind === 'external' ? database.name : internalDatabase
  throw new SupervisorError(
    'MIGRATIONS_FAILED',
    `cannot migrate the internal database: user ${lacking.role} may not create tables in schema ` +
      `${lacking.schema} of database ${name}`,
    { hint: `As the owner of database ${name}, connected to it, type: ${lacking.command};` },
  )
}

type Pending = { readonly isUpgrade: boolean; readonly missing: readonly Migration[] }

const announce = ({ isUpgrade, missing }: Pending): string => {
  if (!isUpgrade) return 'running migrations'
  const more = missing.length > 5 ? ` and ${missing.length - 5} more` : ''
  return `running ${missing.length} migrations, all of them or none: ${missing.slice(0, 5).join(', ')}${more}`
}

/**
 * Brings the internal database to this Mathesar, only when it is not there yet, and one container at a time.
 */
export const migrations = defineTask({
  name: 'migrations',
  needs: ['key', 'secrets', 'volume'],
  description: 'brings the internal database to this version of Mathesar',
  run: async (scope, signal) => {
    const { system, place, results } = scope
    const list = system.files.readIfThere(`${place.paths.share}/migrations.json`, 1024 * 1024)
    const image = list === undefined ? undefined : (JSON.parse(list) as Migration[])
    /** Those that are to be run, as far as the image knows; `undefined` where none are. */
    const findPending = async (client: Client): Promise<Pending | undefined> => {
      if (image === undefined) return { isUpgrade: false, missing: [] }
      const applied = await appliedMigrations(client)
      const { missing, ahead } = compareMigrations(image, applied)
      if (ahead.length > 0) refuseNewer(ahead)
      return missing.length > 0 ? { isUpgrade: applied.length > 0, missing } : undefined
    }
    const migrateOnce = async (client: Client): Promise<void> => {
      await takeLock(scope, client, signal)
      const pending = await findPending(client)
      if (pending !== undefined) {
        await requireCreate(scope, client)
        system.log.say('info', announce(pending))
        await migrate(scope, client, signal)
      } else if (results.key.isNew) {
        system.log.say(
          'warn',
          'another container migrated the database meanwhile, with a key of its own: give both the ' +
            'same SECRET_KEY, else neither can read the passwords that the other stores',
        )
      }
    }
    return await withDatabase(scope, async (client) => {
      if (await inTransaction(client, () => findPending(client)))
        await inTransaction(client, () => migrateOnce(client))
      return undefined
    })
  },
})
