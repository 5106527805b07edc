import type { Client } from 'pg'
import type { TaskUnit } from '../../core/unit.ts'
import { compareMigrations, type Migration } from './applied.ts'
import { inWords } from '../../core/outcome.ts'
import { SupervisorError } from '../../errors.ts'
import { connectionOf, type Context, inVolume } from '../place.ts'
import { appEnvironment } from './server.ts'

/** An arbitrary number that all supervisors share: "math" in ASCII. */
const lockKey = 0x6d617468

/** Mathesar's own role may fill its table. Django has columns of 255 characters, and there are some hundred migrations. */
const appliedLimit = 10_000

const applied = async (client: Client): Promise<Migration[]> => {
  try {
    return (
      await client.query<{ migration: string }>(
        `SELECT left(app || '.' || name, 300) AS migration FROM django_migrations LIMIT ${appliedLimit}`,
      )
    ).rows.map((row) => row.migration)
  } catch (error) {
    if ((error as { code?: string }).code === '42P01') return [] // No such table: nothing was ever migrated.
    throw error
  }
}

const migrate = async (context: Context, signal: AbortSignal): Promise<void> => {
  const { paths, identities, runProgram, log } = context
  log('info', 'running migrations')
  const { outcome, lines } = await runProgram(
    'migrations',
    {
      argv: [`${paths.pythonBin}/python3`, '-m', 'mathesar.install'],
      cwd: paths.app,
      user: identities.mathesar,
      env: { ...appEnvironment(context), SKIP_STATIC_COLLECTION: 'true' },
    },
    { signal },
  )
  if (outcome.code !== 0)
    throw new SupervisorError(
      'MIGRATIONS_FAILED',
      `cannot migrate the internal database: Django ${inWords(outcome)}: ${lines.at(-1) ?? 'it said nothing'}`,
    )
}

/** A key that was made in this boot is kept only with a database that holds nothing yet: no other one could read what is stored there. */
const keepNewKey = async ({ database, paths, made }: Context, client: Client): Promise<boolean> => {
  const { keepSecretKey } = made
  if (database.kind !== 'external' || keepSecretKey === undefined) return false
  if ((await applied(client)).length > 0) {
    throw new SupervisorError(
      'SECRETS_MISSING',
      `cannot find ${inVolume(paths).secrets}/secret_key, but the database (${database.host}, ${database.name}) is that of an earlier installation, which encrypted stored passwords with its key`,
      {
        hint: 'Give the key of that installation with `-e SECRET_KEY=…`, or start on the volume that has it. With another SECRET_KEY all works but those passwords.',
      },
    )
  }
  keepSecretKey()
  delete made.keepSecretKey
  return true
}

/** Brings the internal database to this Mathesar, only when it is not there yet, and one container at a time. */
export const migrations: TaskUnit<Context> = {
  name: 'migrations',
  kind: 'task',
  needs: ['database', 'secrets'],
  does: 'brings the internal database to this version of Mathesar',
  run: async (context, signal) => {
    const { paths, files, withClient, delay, detail, log } = context
    const list = files.readIfThere(`${paths.share}/migrations.json`, 1024 * 1024)
    const image = list === undefined ? undefined : (JSON.parse(list) as Migration[])
    await withClient(connectionOf(context), async (client) => {
      const isKeyNew = await keepNewKey(context, client)
      const pending = async (): Promise<boolean> => {
        if (image === undefined) return true
        const { missing, ahead } = compareMigrations(image, await applied(client))
        if (ahead.length > 0)
          throw new SupervisorError(
            'DATABASE_AHEAD',
            `cannot use the internal database: it has migrations that this image does not know: ${ahead.slice(0, 3).join(', ')}${ahead.length > 3 ? ` and ${ahead.length - 3} more` : ''}`,
          )
        return missing.length > 0
      }
      if (!(await pending())) return
      for (let told = false; ; told = true) {
        const { rows } = await client.query<{ locked: boolean }>(
          'SELECT pg_try_advisory_lock($1) AS locked',
          [lockKey],
        )
        if (rows[0]?.locked) break
        if (!told) log('info', 'another container runs the migrations: waiting for it')
        detail('migrations', 'waits for another container that migrates')
        await delay(500, signal)
      }
      detail('migrations', null)
      if (await pending()) await migrate(context, signal)
      else if (isKeyNew)
        log(
          'warn',
          'another container migrated the database meanwhile, with a key of its own: give both the same SECRET_KEY, else neither can read the passwords that the other stores',
        )
    })
  },
}
