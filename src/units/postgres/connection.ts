import type { ClientConfig } from 'pg'
import { MiB } from '../../core/amounts.ts'
import type { Client } from '../../system/ports.ts'
import { SupervisorError } from '../../errors.ts'
import { hostsOf } from '../../settings/database.ts'
import { connectionAttempts, tlsOptions } from '../../settings/tls.ts'
import { inRun, type Place } from '../place.ts'
import { codeOf, isAnswer, isAnsweredByAll, isBroken, isRefusal, sentenceOf } from './failures.ts'
import type { InForce } from '../../settings/configuration.ts'
import type { System } from '../../system/ports.ts'
import type { Scope } from '../unit.ts'

/**
 * The superuser's password in the cluster template.
 * Each installation sets its own before anybody but the supervisor can connect.
 */
export const bootstrapPassword = 'bootstrap'

export const internalDatabase = 'mathesar_django'
export const appRole = 'mathesar'

/** Of a database in which somebody may work. One whose DROP was cut off lets nobody in. */
export const mayBeEntered = 'datallowconn AND datconnlimit <> -2'

/**
 * A connection to the embedded server. It says all that it needs:
 * pg would take the rest from variables such as PGPORT.
 */
export const embeddedAs = (
  { paths }: Pick<Place, 'paths'>,
  user: string,
  database: string,
): ClientConfig => ({
  host: inRun(paths).postgresSocket,
  port: 5432,
  user,
  database,
  ssl: false,
})

/**
 * What a superuser's session starts with: no function or operator but Postgres's own can come in the way of
 * what it calls, and no library that somebody set for it must be there.
 */
export const superuserStart = [
  '-c search_path=pg_catalog',
  '-c session_preload_libraries=',
  '-c local_preload_libraries=',
].join(' ')
/** The same for what the supervisor does itself: no setting of the role or database keeps it from that. */
const ownStart = [
  superuserStart,
  '-c role=none',
  '-c default_transaction_read_only=off',
  '-c statement_timeout=30s',
].join(' ')

/** Runs with a connection. One that breaks is a failure that passes by itself. */
export const withConnection = async <T>(
  { system }: Pick<Scope<never>, 'system'>,
  ways: readonly ClientConfig[],
  use: (client: Client) => Promise<T>,
): Promise<T> => {
  try {
    return await system.withClient(ways, use)
  } catch (cause) {
    if (cause instanceof SupervisorError || isRefusal(cause) || !isBroken(cause)) throw cause
    throw new SupervisorError(
      'DATABASE_LOST',
      `cannot go on without the database: ${system.log.redact(sentenceOf(cause))}`,
      { cause },
    )
  }
}

/** The superuser's own database. It may have been dropped: then `template1` is there. */
export const superuserDatabase = 'postgres'

/** Whether a server has no such database, or lets nobody into it. */
export const isDatabaseShut = (error: unknown): boolean =>
  isAnswer(error) && /^(3D|55000)/.test(codeOf(error))

/**
 * Runs as the superuser of the embedded Postgres: over its socket as the operating system's user, or by
 * password where there is but one user. What is called in a database of people must be Postgres's own.
 */
export const asSuperuserIn = async <T>(
  scope: Scope<'secrets' | 'cluster'>,
  database: string,
  use: (client: Client) => Promise<T>,
): Promise<T> => {
  const { place, results } = scope
  // A boot that was cut off may have left the template's password.
  // Nothing but the supervisor can reach the cluster then.
  const own = results.secrets.superuserPassword
  const [first, second] = results.cluster.isFresh ? [bootstrapPassword, own] : [own, bootstrapPassword]
  const logIn = (password: string | undefined): Promise<T> =>
    withConnection(scope, [{ ...embeddedAs(place, 'postgres', database), options: ownStart, password }], use)
  return await logIn(first).catch((error: unknown) => {
    if (codeOf(error) !== '28P01') throw error
    return logIn(second)
  })
}

/** The same in its own database, the only one in which Mathesar's role owns nothing and may make nothing. */
export const asSuperuser = async <T>(
  scope: Scope<'secrets' | 'cluster'>,
  use: (client: Client) => Promise<T>,
): Promise<T> => {
  try {
    return await asSuperuserIn(scope, superuserDatabase, use)
  } catch (error) {
    if (!isDatabaseShut(error)) throw error
    return await asSuperuserIn(scope, 'template1', use)
  }
}

/** What it takes to reach the database that Mathesar keeps its own tables in. It need not be in force. */
export type DatabaseScope = Pick<Scope<never>, 'system' | 'place' | 'inForce'>

/** What a connection depends on. */
type Target = {
  readonly system: { readonly files: Pick<System['files'], 'mayRead' | 'readIfThere'> }
  readonly place: Pick<Place, 'paths' | 'identities'>
  readonly inForce: Pick<InForce, 'database'>
}

/** The certificate of the CA. What libpq would tell Mathesar alone, and late, is said here. */
const readRootCertificate = (
  {
    system: { files },
    place: {
      identities: { mathesar },
    },
  }: Target,
  path: string,
): string => {
  try {
    if (!files.mayRead(path, mathesar))
      throw new Error(`user ${mathesar?.name}, who runs Mathesar, may not read it`)
    const text = files.readIfThere(path, MiB) ?? ''
    if (!/-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----/.test(text))
      throw new Error('it holds no certificate in PEM')
    return text
  } catch (cause) {
    throw new SupervisorError(
      'SETTING_INVALID',
      `cannot use POSTGRES_SSLROOTCERT ${path}: ${(cause as Error).message}`,
      {
        cause,
        hint:
          `Mount the certificate of the CA there, as PEM that everybody may read (\`chmod a+r\`): \`-v ` +
          `./ca.pem:${path}:ro\`.`,
      },
    )
  }
}

/**
 * How to connect to the database that Mathesar keeps its own tables in: the ways to try in turn, one or two a
 * host.
 */
export const connectionOf = (scope: Target): readonly ClientConfig[] => {
  const {
    place,
    inForce: { database },
  } = scope
  // Without `ssl`, pg would look into our environment.
  if (database.kind === 'embedded') return [embeddedAs(place, appRole, internalDatabase)]
  const { port, name, user, password, sslmode, sslrootcert, channelBinding } = database
  const plain = {
    port,
    database: name,
    user,
    ...(password === undefined ? {} : { password }),
    ssl: false,
  }
  const attempts = hostsOf(database)
    .flatMap((host) =>
      connectionAttempts({ host, sslmode }).map((attempt) => ({ host, isPlain: attempt === 'plain' })),
    )
    .filter(({ isPlain }) => channelBinding === undefined || !isPlain)
  const ca =
    sslrootcert === undefined || attempts.every(({ isPlain }) => isPlain)
      ? undefined
      : readRootCertificate(scope, sslrootcert)
  return attempts.map(({ host, isPlain }) => ({
    ...plain,
    host,
    ...(isPlain ? {} : { ssl: tlsOptions(sslmode, ca) }),
    ...(channelBinding === undefined ? {} : { enableChannelBinding: true }),
  }))
}

/**
 * Runs with a connection to the database that Mathesar keeps its own tables in. Whatever the server says no
 * to is its word, not a fault of ours.
 */
export const withDatabase = async <T>(
  scope: DatabaseScope,
  use: (client: Client) => Promise<T>,
): Promise<T> => {
  try {
    return await withConnection(scope, connectionOf(scope), use)
  } catch (cause) {
    if (cause instanceof SupervisorError || !(isRefusal(cause) || isAnsweredByAll(cause))) throw cause
    throw new SupervisorError(
      'DATABASE_REFUSED',
      `cannot go on: the database refuses: ${scope.system.log.redact(sentenceOf(cause))}`,
      { cause },
    )
  }
}

/**
 * What a transaction of ours sets for itself, for a pooler lends a session to others. A view of Mathesar's
 * role may never answer, and the lock that the transaction holds must outlive the limits of a host. Versions
 * before 17 have no transaction_timeout.
 */
const ownLimits = `
  SELECT pg_catalog.set_config(name, CASE name WHEN 'statement_timeout' THEN '10s' ELSE '0' END, true)
  FROM pg_catalog.pg_settings
  WHERE name IN ('statement_timeout', 'idle_in_transaction_session_timeout', 'transaction_timeout')`

/** Runs in a transaction, within limits. A failure leaves it to the end of the connection. */
export const inTransaction = async <T>(client: Client, act: () => Promise<T>): Promise<T> => {
  // Whoever waited for the lock must see what the other container has committed.
  await client.query('BEGIN ISOLATION LEVEL READ COMMITTED')
  await client.query(ownLimits)
  const result = await act()
  await client.query('COMMIT')
  return result
}
