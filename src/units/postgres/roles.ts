import type { Client } from '../../system/ports.ts'
import { SupervisorError } from '../../errors.ts'
import { readManifest, startAnewHint } from '../manifest.ts'
import { inVolume } from '../place.ts'
import { forgetPromotion, isLeaving } from '../promotion.ts'
import type { Results } from '../results.ts'
import { defineTask, type Scope } from '../unit.ts'
import { alterSystemHint } from './alter-system.ts'
import { appRole, asSuperuser, internalDatabase, mayBeEntered, superuserDatabase } from './connection.ts'
import { waitForExternal } from './external.ts'
import { codeOf, isAnswer, sentenceOf } from './failures.ts'
import { openAgain } from './open.ts'
import { isLockedOut, repairLogin } from './repair.ts'

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
 * What Mathesar's role may do to itself and to its database as their owner, or a dump of another server to
 * all of them, each as the command that undoes it. Any of it could keep Mathesar or us from connecting at the
 * next start: a library that does not exist, no connections, a right that was taken away.
 */
const whatToUndo = `
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
    FROM pg_database
    WHERE datname IN ($2, '${superuserDatabase}') AND (NOT datallowconn OR datconnlimit <> -1)
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

/** Before Postgres 17 the column of the locale has another name. */
const describeServer = `
  SELECT split_part(current_setting('server_version'), ' ', 1) AS version,
      coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale', datcollate) AS locale,
      concat_ws(', ',
        (SELECT 'ICU ' || pg_collation_actual_version(oid) FROM pg_collation
          WHERE collname = 'und-x-icu' AND collprovider = 'i' LIMIT 1),
        (SELECT 'glibc ' || max(pg_collation_actual_version(oid)) FROM pg_collation
          WHERE collprovider = 'c')) AS collation,
      (SELECT coalesce(json_agg(datname), '[]') FROM pg_database WHERE ${mayBeEntered}) AS databases,
      (SELECT coalesce(json_agg(datname), '[]') FROM pg_database WHERE ${mayBeEntered}
        AND datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid)) AS stale
    FROM pg_database d WHERE datname = $1`

const prepareRoles = async (scope: Scope<'secrets'>, client: Client): Promise<Results['database']> => {
  const { system, results } = scope
  const exists = async (query: string, name: string): Promise<boolean> =>
    (await client.query(query, [name])).rowCount === 1
  const hasDatabase = await exists('SELECT 1 FROM pg_database WHERE datname = $1', internalDatabase)
  if (!hasDatabase) await refuseEmptyDatabase(scope, client)
  await setPassword(client, results.secrets.superuserPassword!)
  if (!(await exists('SELECT 1 FROM pg_roles WHERE rolname = $1', appRole)))
    await client.query(`CREATE ROLE ${appRole} LOGIN CREATEDB CREATEROLE`)
  if (!hasDatabase) await client.query(`CREATE DATABASE ${internalDatabase} OWNER ${appRole}`)
  if (!(await exists('SELECT 1 FROM pg_database WHERE datname = $1', superuserDatabase))) {
    system.log.say('warn', `the database ${superuserDatabase} was dropped: it is made again`)
    await client.query(`CREATE DATABASE ${superuserDatabase} TEMPLATE template0`)
  }
  const { rows } = await client.query<{ command: string }>(whatToUndo, [appRole, internalDatabase])
  for (const { command } of rows) {
    system.log.say('warn', `what was changed could keep the next start from serving: ${command}`)
    await client.query(command)
  }
  if (await exists(lacksSelfGrant, appRole))
    await client.query(`ALTER ROLE ${appRole} SET ${selfGrant} = 'set, inherit'`)
  return (await client.query<NonNullable<Results['database']>>(describeServer, [internalDatabase])).rows[0]
}

/**
 * Why the superuser cannot work on the cluster, in words. What passes by itself has its own error already.
 */
const refusalOf = (scope: Scope<never>, cause: unknown): unknown => {
  if (!isAnswer(cause)) return cause
  const { cluster } = inVolume(scope.place.paths)
  const sentence = sentenceOf(cause)
  if (codeOf(cause) === '53100')
    return new SupervisorError('VOLUME_FULL', `cannot prepare the cluster in ${cluster}: ${sentence}`, {
      cause,
    })
  const hint = alterSystemHint(scope)
  return new SupervisorError('CLUSTER_UNUSABLE', `cannot use the cluster in ${cluster}: ${sentence}`, {
    cause,
    ...(hint === undefined ? {} : { hint }),
  })
}

const prepareEmbedded = async (
  scope: Scope<'secrets' | 'cluster'>,
  signal: AbortSignal,
): Promise<Results['database']> => {
  const prepare = (): Promise<Results['database']> =>
    asSuperuser(scope, async (client) => {
      await openAgain(scope, client)
      return await prepareRoles(scope, client)
    })
  try {
    return await prepare().catch(async (refusal: unknown) => {
      if (!isLockedOut(refusal)) throw refusal
      await repairLogin(scope, refusal, signal)
      return await prepare()
    })
  } catch (cause) {
    throw refusalOf(scope, cause)
  }
}

/**
 * Mathesar's role and internal database in the embedded Postgres, or the proof that an external one answers.
 */
export const database = defineTask({
  name: 'database',
  needs: ['postgres', 'proof', 'secrets', 'cluster'],
  description: "prepares Mathesar's role and internal database, or waits for the external one",
  run: async (scope, signal) => {
    const { database: named } = scope.inForce
    if (named.kind === 'embedded') return await prepareEmbedded(scope, signal)
    await waitForExternal(scope, signal)
    // Whatever was begun there: people work on it from here on.
    if (scope.isBoot && !isLeaving(scope, named)) forgetPromotion(scope)
    return undefined
  },
})
