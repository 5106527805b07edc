import type { Client } from 'pg'
import type { TaskUnit } from '../../core/unit.ts'
import { isTlsFailure } from '../../settings/tls.ts'
import { SupervisorError } from '../../errors.ts'
import { appRole, asSuperuser, connectionOf, type Context, internalDatabase, inVolume } from '../place.ts'

/** Gives this installation's own password to the superuser, unless it has it. */
const setPassword = async (client: Client, password: string): Promise<void> => {
  const { rows } = await client.query<{ rolpassword: string | null }>(
    "SELECT rolpassword FROM pg_authid WHERE rolname = 'postgres'",
  )
  const stored = rows[0]?.rolpassword ?? ''
  const { scramVerifier } = await import('./scram.ts')
  const [, iterations, salt] = /^SCRAM-SHA-256\$(\d+):([^$]+)\$/.exec(stored) ?? []
  if (salt && scramVerifier(password, Buffer.from(salt, 'base64'), Number(iterations)) === stored) return
  await client.query(`ALTER ROLE postgres PASSWORD '${scramVerifier(password)}'`)
}

/** From Postgres 16 on, whoever makes a role may otherwise not act as it. */
const selfGrant = 'createrole_self_grant'

/**
 * What Mathesar's role may do to itself and to its database as their owner, each as the command that undoes it. Any of it could keep
 * Mathesar from connecting at the next start: a library that does not exist, no connections, a right that was taken away.
 */
const undoneByApp = `
  SELECT CASE WHEN setrole = 0 THEN format('ALTER DATABASE %I RESET ALL', datname)
              WHEN setdatabase = 0 THEN format('ALTER ROLE %I RESET ALL', rolname)
              ELSE format('ALTER ROLE %I IN DATABASE %I RESET ALL', rolname, datname) END AS command
    FROM pg_db_role_setting LEFT JOIN pg_roles r ON r.oid = setrole LEFT JOIN pg_database d ON d.oid = setdatabase
    WHERE (rolname = $1 AND setdatabase = 0 OR datname = $2 AND (rolname = $1 OR setrole = 0)) AND setconfig <> ARRAY['${selfGrant}=set, inherit']
  UNION ALL SELECT format('ALTER DATABASE %I ALLOW_CONNECTIONS true CONNECTION LIMIT -1', datname)
    FROM pg_database WHERE datname = $2 AND (NOT datallowconn OR datconnlimit <> -1)
  UNION ALL SELECT format('ALTER DATABASE %I OWNER TO %I', datname, $1::text)
    FROM pg_database WHERE datname = $2 AND pg_get_userbyid(datdba) <> $1
  UNION ALL SELECT format('GRANT ALL ON DATABASE %I TO %I', datname, $1::text)
    FROM pg_database WHERE datname = $2 AND NOT has_database_privilege($1, oid, 'CONNECT')`

const prepareEmbedded = (context: Context): Promise<void> =>
  asSuperuser(context, async (client) => {
    await setPassword(client, context.made.postgresPassword!)
    context.made.freshCluster = false
    const exists = async (query: string, name: string): Promise<boolean> =>
      (await client.query(query, [name])).rowCount === 1
    if (!(await exists('SELECT 1 FROM pg_roles WHERE rolname = $1', appRole))) {
      await client.query(`CREATE ROLE ${appRole} LOGIN CREATEDB CREATEROLE`)
    }
    if (!(await exists('SELECT 1 FROM pg_database WHERE datname = $1', internalDatabase)))
      await client.query(`CREATE DATABASE ${internalDatabase} OWNER ${appRole}`)
    for (const { command } of (
      await client.query<{ command: string }>(undoneByApp, [appRole, internalDatabase])
    ).rows) {
      context.log('warn', `what Mathesar's role had changed could keep it from connecting: ${command}`)
      await client.query(command)
    }
    if (
      await exists(
        `SELECT FROM pg_settings WHERE name = '${selfGrant}' AND NOT EXISTS (SELECT FROM pg_db_role_setting JOIN pg_roles r ON r.oid = setrole WHERE rolname = $1 AND setdatabase = 0)`,
        appRole,
      )
    ) {
      await client.query(`ALTER ROLE ${appRole} SET ${selfGrant} = 'set, inherit'`)
    }
  }).catch((cause) => {
    if ((cause as { code?: string }).code !== '28P01') throw cause
    const path = `${inVolume(context.paths).secrets}/postgres_password`
    throw new SupervisorError(
      'SECRETS_MISSING',
      `cannot log in to the embedded Postgres: ${path} is not its password`,
      { cause, hint: `Put ${path} back from a backup, or start once as root, which sets a new one.` },
    )
  })

const codeOf = (error: unknown): string => {
  const { code, errors, message } = error as {
    code?: string
    errors?: readonly { code?: string }[]
    message?: string
  }
  return code ?? errors?.[0]?.code ?? message ?? 'no reason given'
}

/** A handshake that was cut off, as by a server that just stops, says nothing yet. */
const isTlsRefusal = (error: unknown): boolean =>
  isTlsFailure(error) && !/disconnected before|error establishing/.test((error as Error).message)

/** SQLSTATE classes 28 (authorization) and 3D (no such database), and TLS: the server answered, and waiting will not change its mind. */
const isRefusal = (error: unknown): boolean =>
  (error as AggregateError).errors?.every(isRefusal) ??
  (/^(28|3D)/.test(codeOf(error)) ||
    /password must be a string/.test((error as Error).message) ||
    isTlsRefusal(error))

/** Also where the server speaks of it: with `disable`, or where it takes TLS alone and ours failed. */
const isAboutTls = (error: unknown): boolean =>
  (error as AggregateError).errors?.every(isAboutTls) ??
  (isTlsRefusal(error) || (error as Error).message.endsWith(', no encryption'))

const tlsHint =
  'Check POSTGRES_SSLMODE, and POSTGRES_SSLROOTCERT if the certificate was refused: verify-full also wants POSTGRES_HOST to be a name in the certificate.'

const waitForExternal = async (context: Context, signal: AbortSignal): Promise<void> => {
  const { database, settings, retry, withClient, log, detail } = context
  if (database.kind !== 'external') return
  const where = `${database.host}:${database.port}, database ${database.name}, user ${database.user}`
  const ways = connectionOf(context)
  const waitSeconds = Number(settings.DATABASE_WAIT_TIMEOUT.value)
  try {
    await retry(() => withClient(ways, (client) => client.query('SELECT 1')), {
      forMs: waitSeconds * 1000,
      signal,
      again: (error) => !isRefusal(error),
      onFailure: (error) => {
        detail('database', `waits for ${where}: ${codeOf(error)}`)
        log('warn', `the database does not answer yet (${where}): ${codeOf(error)}`)
      },
    })
  } catch (cause) {
    signal.throwIfAborted()
    if (isRefusal(cause)) {
      throw new SupervisorError(
        'DATABASE_REFUSED',
        `cannot use the database (${where}): ${(cause as Error).message}`,
        { cause, ...(isAboutTls(cause) ? { hint: tlsHint } : {}) },
      )
    }
    throw new SupervisorError(
      'DATABASE_UNREACHABLE',
      `cannot reach the database (${where}) within ${waitSeconds} s: ${codeOf(cause)}`,
      { cause },
    )
  }
  detail('database', null)
}

/** Mathesar's role and internal database in the embedded Postgres, or the proof that an external one answers. */
export const database: TaskUnit<Context> = {
  name: 'database',
  kind: 'task',
  needs: ['postgres', 'volume'],
  does: "prepares Mathesar's role and internal database, or waits for the external one",
  run: (context, signal) =>
    context.database.kind === 'embedded' ? prepareEmbedded(context) : waitForExternal(context, signal),
}
