import type { Client } from '../../system/ports.ts'
import { SupervisorError } from '../../errors.ts'
import { oddityOf } from '../../settings/forms.ts'
import { isTlsFailure } from '../../settings/tls.ts'
import { readManifest, startAnewHint } from '../manifest.ts'
import { inVolume } from '../place.ts'
import { defineTask, type Scope } from '../unit.ts'
import { appRole, asSuperuser, connectionOf, internalDatabase } from './connection.ts'

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
 * What Mathesar's role may do to itself and to its database as their owner, each as the command that undoes
 * it. Any of it could keep Mathesar from connecting at the next start: a library that does not exist,
 * no connections, a right that was taken away.
 */
const undoneByApp = `
  SELECT CASE WHEN setrole = 0 THEN format('ALTER DATABASE %I RESET ALL', datname)
              WHEN setdatabase = 0 THEN format('ALTER ROLE %I RESET ALL', rolname)
              ELSE format('ALTER ROLE %I IN DATABASE %I RESET ALL', rolname, datname) END AS command
    FROM pg_db_role_setting
      LEFT JOIN pg_roles r ON r.oid = setrole
      LEFT JOIN pg_database d ON d.oid = setdatabase
    WHERE (rolname = $1 AND setdatabase = 0 OR datname = $2 AND (rolname = $1 OR setrole = 0))
      AND setconfig <> ARRAY['${selfGrant}=set, inherit']
  UNION ALL SELECT format('ALTER ROLE %I LOGIN CREATEDB CREATEROLE INHERIT CONNECTION LIMIT -1'
      ' NOSUPERUSER NOREPLICATION NOBYPASSRLS', rolname)
    FROM pg_roles WHERE rolname = $1 AND (rolsuper OR rolreplication OR rolbypassrls OR rolconnlimit <> -1
      OR NOT (rolcanlogin AND rolcreatedb AND rolcreaterole AND rolinherit))
  UNION ALL SELECT format('ALTER DATABASE %I ALLOW_CONNECTIONS true CONNECTION LIMIT -1', datname)
    FROM pg_database WHERE datname = $2 AND (NOT datallowconn OR datconnlimit <> -1)
  UNION ALL SELECT format('ALTER DATABASE %I OWNER TO %I', datname, $1::text)
    FROM pg_database WHERE datname = $2 AND pg_get_userbyid(datdba) <> $1
  UNION ALL SELECT format('GRANT ALL ON DATABASE %I TO %I', datname, $1::text)
    FROM pg_database WHERE datname = $2 AND NOT has_database_privilege($1, oid, 'CONNECT')`

const lacksSelfGrant = `SELECT FROM pg_settings WHERE name = '${selfGrant}' AND NOT EXISTS (
  SELECT FROM pg_db_role_setting JOIN pg_roles r ON r.oid = setrole WHERE rolname = $1 AND setdatabase = 0)`

/** Only a cluster that has never served gets an empty database. */
const refuseEmptyDatabase = async (scope: Scope<never>, client: Client): Promise<void> => {
  if (readManifest(scope).cluster === undefined) return
  const { rows } = await client.query<{ names: string }>(
    "SELECT string_agg(datname, ', ' ORDER BY datname) AS names FROM pg_database WHERE NOT datistemplate",
  )
  const { paths, identities } = scope.place
  const { supervisor, postgres = supervisor } = identities
  throw new SupervisorError(
    'CLUSTER_DAMAGED',
    `cannot find the database ${internalDatabase}, which has served from this volume; there are ` +
      `${rows[0]?.names}`,
    {
      hint:
        'Restore the volume from a backup. If the database was renamed, put `--interactive --tty --user ' +
        `${postgres.uid}:${postgres.gid} --entrypoint postgres\` before the image and \`--single -D ` +
        `${inVolume(paths).cluster} postgres\` after it, and type \`ALTER DATABASE "…" RENAME TO ` +
        `${internalDatabase}\`, Enter, Ctrl-D. ${startAnewHint(scope.place)}`,
    },
  )
}

const prepareRoles = async (scope: Scope<'secrets'>, client: Client): Promise<void> => {
  const { system, results } = scope
  const exists = async (query: string, name: string): Promise<boolean> =>
    (await client.query(query, [name])).rowCount === 1
  const hasDatabase = await exists('SELECT 1 FROM pg_database WHERE datname = $1', internalDatabase)
  if (!hasDatabase) await refuseEmptyDatabase(scope, client)
  await setPassword(client, results.secrets.superuserPassword!)
  if (!(await exists('SELECT 1 FROM pg_roles WHERE rolname = $1', appRole)))
    await client.query(`CREATE ROLE ${appRole} LOGIN CREATEDB CREATEROLE`)
  if (!hasDatabase) await client.query(`CREATE DATABASE ${internalDatabase} OWNER ${appRole}`)
  const { rows } = await client.query<{ command: string }>(undoneByApp, [appRole, internalDatabase])
  for (const { command } of rows) {
    system.log.say('warn', `what Mathesar's role had changed could keep it from connecting: ${command}`)
    await client.query(command)
  }
  if (await exists(lacksSelfGrant, appRole))
    await client.query(`ALTER ROLE ${appRole} SET ${selfGrant} = 'set, inherit'`)
}

/**
 * Why the superuser cannot work on the cluster, in words. What passes by itself has its own error already.
 */
const refusalOf = ({ place }: Scope<never>, cause: unknown): unknown => {
  const { code, message } = cause as { code?: string; message: string }
  const { secrets, cluster } = inVolume(place.paths)
  if (code === '28P01') {
    const path = `${secrets}/postgres_password`
    return new SupervisorError(
      'SECRETS_MISSING',
      `cannot log in to the embedded Postgres: ${path} is not its password`,
      {
        cause,
        hint: `Put ${path} back from a backup, or start once as root, which sets a new one.`,
      },
    )
  }
  if (code === '53100')
    return new SupervisorError('VOLUME_FULL', `cannot prepare the cluster in ${cluster}: ${message}`, {
      cause,
    })
  if (!('severity' in (cause as object))) return cause
  return new SupervisorError('CLUSTER_UNUSABLE', `cannot use the cluster in ${cluster}: ${message}`, {
    cause,
  })
}

const prepareEmbedded = async (scope: Scope<'secrets' | 'cluster'>): Promise<void> => {
  try {
    await asSuperuser(scope, (client) => prepareRoles(scope, client))
  } catch (cause) {
    throw refusalOf(scope, cause)
  }
}

const whyOf = (error: unknown): string => {
  const { code, errors, message } = error as {
    code?: string
    errors?: readonly { code?: string }[]
    message?: string
  }
  return code ?? errors?.[0]?.code ?? message ?? 'no reason given'
}

/** A handshake that was cut off, as by a server that is just stopping, says nothing yet. */
const isTlsRefusal = (error: unknown): boolean =>
  isTlsFailure(error) && !/disconnected before|error establishing/.test((error as Error).message)

/** Both of two ways to connect failed: then what holds for each of them holds. */
const forAll = (error: unknown, holds: (error: unknown) => boolean): boolean =>
  (error as Partial<AggregateError>).errors?.every((each) => forAll(each, holds)) ?? holds(error)

/**
 * SQLSTATE classes 28 (authorization) and 3D (no such database), and TLS: the server answered,
 * and waiting will not change its mind.
 */
const isRefusal = (error: unknown): boolean =>
  forAll(
    error,
    (each) =>
      /^(28|3D)/.test(whyOf(each)) ||
      /password must be a string/.test((each as Error).message) ||
      isTlsRefusal(each),
  )

/** Also where the server speaks of it: with `disable`, or where it takes TLS alone and ours failed. */
const isAboutTls = (error: unknown): boolean =>
  forAll(error, (each) => isTlsRefusal(each) || (each as Error).message.endsWith(', no encryption'))

const tlsHint =
  'Check POSTGRES_SSLMODE, and POSTGRES_SSLROOTCERT if the certificate was refused: verify-full also ' +
  'wants POSTGRES_HOST to be a name in the certificate.'

/** What to look at first when a server refuses, if something stands out. A password is never shown. */
const refusalHint = (cause: unknown, password: string | undefined): { readonly hint?: string } => {
  if (isAboutTls(cause)) return { hint: tlsHint }
  const oddity = password === undefined ? undefined : oddityOf(password)
  return oddity === undefined ? {} : { hint: `Look at POSTGRES_PASSWORD: ${oddity}.` }
}

/** How long a change waits for another database to answer. */
const changeWaitSeconds = 5

const waitForExternal = async (scope: Scope<never>, signal: AbortSignal): Promise<void> => {
  const {
    system,
    inForce: { database, settings },
    isBoot,
    report,
  } = scope
  if (database.kind !== 'external') return
  const where = `${database.host}:${database.port}, database ${database.name}, user ${database.user}`
  const ways = connectionOf(scope)
  const waitSeconds = isBoot
    ? settings.DATABASE_WAIT_TIMEOUT
    : Math.min(changeWaitSeconds, settings.DATABASE_WAIT_TIMEOUT)
  try {
    await system.retry(() => system.withClient(ways, (client) => client.query('SELECT 1')), {
      forMs: waitSeconds * 1000,
      signal,
      isWorthIt: (error) => !isRefusal(error),
      onFailure: (error) => {
        report(`waits for ${where}: ${whyOf(error)}`)
        system.log.say('warn', `the database does not answer yet (${where}): ${whyOf(error)}`)
      },
    })
  } catch (cause) {
    signal.throwIfAborted()
    if (!isRefusal(cause))
      throw new SupervisorError(
        'DATABASE_UNREACHABLE',
        `cannot reach the database (${where}) within ${waitSeconds} s: ${whyOf(cause)}`,
        { cause },
      )
    throw new SupervisorError(
      'DATABASE_REFUSED',
      `cannot use the database (${where}): ${(cause as Error).message}`,
      { cause, ...refusalHint(cause, database.password) },
    )
  }
}

/**
 * Mathesar's role and internal database in the embedded Postgres, or the proof that an external one answers.
 */
export const database = defineTask({
  name: 'database',
  needs: ['postgres', 'secrets', 'cluster'],
  description: "prepares Mathesar's role and internal database, or waits for the external one",
  run: async (scope, signal) => {
    await (scope.inForce.database.kind === 'embedded'
      ? prepareEmbedded(scope)
      : waitForExternal(scope, signal))
    return undefined
  },
})
