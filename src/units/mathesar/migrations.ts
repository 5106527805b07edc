import type { Client } from '../../system/ports.ts'
import { inWords } from '../../core/outcome.ts'
import { SupervisorError } from '../../errors.ts'
import { internalDatabase, inTransaction, withDatabase } from '../postgres/connection.ts'
import { defineTask, type Scope } from '../unit.ts'
import { appliedMigrations, compareMigrations, type Migration } from './applied.ts'
import { appEnvironment } from './environment.ts'

/** An arbitrary number that all supervisors share: "math" in ASCII. */
const lockKey = 0x6d617468

type MigrationScope = Scope<'volume' | 'secrets'>

/** What Postgres adds to the sentence of an error: where in the query, and what else. */
const isAddition = (line: string): boolean => /^(\s|LINE \d+:|(DETAIL|HINT|CONTEXT|QUERY):)/.test(line)

/** The line that names the exception: what Python writes last is often a caret below a line of SQL. */
const reasonOf = (lines: readonly string[]): string => {
  const told = lines.slice(lines.lastIndexOf('Traceback (most recent call last):') + 1)
  const named = told.length < lines.length ? told.find((line) => !isAddition(line)) : undefined
  return named ?? told.findLast((line) => !isAddition(line)) ?? 'it said nothing'
}

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
    `cannot migrate the internal database: Django ${inWords(outcome)}: ${reasonOf(lines)}`,
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

/** How often the connection that holds the lock is asked whether it is there; at most so long two migrate. */
const lockCheckMs = 1000

/** Does what needs the lock. It is cut off when the connection breaks: the lock is another's to take then. */
const whileLocked = async (
  { system: { clock } }: Scope<never>,
  client: Client,
  signal: AbortSignal,
  act: (signal: AbortSignal) => Promise<void>,
): Promise<void> => {
  const [over, lost] = [new AbortController(), new AbortController()]
  const ended = AbortSignal.any([signal, over.signal])
  const check = async (): Promise<void> => {
    for (;;) {
      await clock.delay(lockCheckMs, ended)
      await client.query('SELECT 1')
    }
  }
  const checking = check().catch((error: unknown) => {
    if (!ended.aborted) lost.abort(error)
  })
  try {
    await act(AbortSignal.any([signal, lost.signal]))
  } finally {
    over.abort()
    await checking
  }
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
    const isPending = async (client: Client): Promise<boolean> => {
      if (image === undefined) return true
      const { missing, ahead } = compareMigrations(image, await appliedMigrations(client))
      if (ahead.length > 0) refuseNewer(ahead)
      return missing.length > 0
    }
    const migrateOnce = async (client: Client): Promise<void> => {
      await takeLock(scope, client, signal)
      if (await isPending(client)) {
        await requireCreate(scope, client)
        await whileLocked(scope, client, signal, (unlessLost) => migrate(scope, unlessLost))
      } else if (results.key.isNew) {
        system.log.say(
          'warn',
          'another container migrated the database meanwhile, with a key of its own: give both the ' +
            'same SECRET_KEY, else neither can read the passwords that the other stores',
        )
      }
    }
    return await withDatabase(scope, async (client) => {
      if (await inTransaction(client, () => isPending(client)))
        await inTransaction(client, () => migrateOnce(client))
      return undefined
    })
  },
})
