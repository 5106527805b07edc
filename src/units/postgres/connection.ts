import type { ClientConfig } from 'pg'
import type { Client } from '../../system/ports.ts'
import { SupervisorError } from '../../errors.ts'
import { connectionAttempts, tlsOptions } from '../../settings/tls.ts'
import { inRun, type Place } from '../place.ts'
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
 * what it calls.
 */
export const ownSearchPath = '-c search_path=pg_catalog'

const codeOf = (error: unknown): string | undefined => (error as { code?: string }).code

/**
 * Whether the connection broke, or the server was just stopping or starting: it may be back in a moment.
 * SQLSTATE class 08 and 57P0x.
 */
const isBroken = (error: unknown): boolean => {
  const { code = '', message } = error as { code?: string; message: string }
  return (
    /^(08|57P0[123])|^(ECONNREFUSED|ECONNRESET|EPIPE|ENOENT|ETIMEDOUT)$/.test(code) ||
    /^Connection terminated|timeout expired|^Query read timeout/.test(message)
  )
}

/** Whether the server answered and said no: SQLSTATE class 28, no such database, too many connections. */
const isRefused = (error: unknown): boolean =>
  'severity' in (error as object) && /^(28|3D|53300)/.test(codeOf(error) ?? '')

/** Runs with a connection. One that breaks is a failure that passes by itself. */
export const withConnection = async <T>(
  { system }: Scope<never>,
  ways: readonly ClientConfig[],
  use: (client: Client) => Promise<T>,
): Promise<T> => {
  try {
    return await system.withClient(ways, use)
  } catch (cause) {
    if (cause instanceof SupervisorError || !isBroken(cause)) throw cause
    throw new SupervisorError(
      'DATABASE_LOST',
      `cannot go on: the connection to the database broke: ${(cause as Error).message}`,
      { cause },
    )
  }
}

/**
 * Runs as the superuser of the embedded Postgres: over its socket as the operating system's user, or by
 * password where there is but one user. Its own database is the only one in which Mathesar's role owns
 * nothing and may make nothing.
 */
export const asSuperuser = async <T>(
  scope: Scope<'secrets' | 'cluster'>,
  use: (client: Client) => Promise<T>,
): Promise<T> => {
  const { place, results } = scope
  const login = (password: string | undefined): Promise<T> => {
    const config = { ...embeddedAs(place, 'postgres', 'postgres'), options: ownSearchPath, password }
    return withConnection(scope, [config], use)
  }
  // A boot that was cut off may have left the template's password.
  // Nothing but the supervisor can reach the cluster then.
  const own = results.secrets.superuserPassword
  const [first, second] = results.cluster.isFresh ? [bootstrapPassword, own] : [own, bootstrapPassword]
  try {
    return await login(first)
  } catch (error) {
    if (codeOf(error) !== '28P01') throw error
    return await login(second)
  }
}

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
    const text = files.readIfThere(path, 1024 * 1024) ?? ''
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
 * How to connect to the database that Mathesar keeps its own tables in: one way, or two to be tried in turn.
 */
export const connectionOf = (scope: Target): readonly ClientConfig[] => {
  const {
    place,
    inForce: { database },
  } = scope
  // Without `ssl`, pg would look into our environment.
  if (database.kind === 'embedded') return [embeddedAs(place, appRole, internalDatabase)]
  const { host, port, name, user, password, sslmode, sslrootcert } = database
  const plain = {
    host,
    port,
    database: name,
    user,
    ...(password === undefined ? {} : { password }),
    ssl: false,
  }
  const attempts = connectionAttempts(database)
  const ca =
    sslrootcert === undefined || !attempts.includes('tls')
      ? undefined
      : readRootCertificate(scope, sslrootcert)
  return attempts.map((attempt) => (attempt === 'plain' ? plain : { ...plain, ssl: tlsOptions(sslmode, ca) }))
}

/** Runs with a connection to the database that Mathesar keeps its own tables in. */
export const withDatabase = async <T>(
  scope: Scope<never>,
  use: (client: Client) => Promise<T>,
): Promise<T> => {
  try {
    return await withConnection(scope, connectionOf(scope), use)
  } catch (cause) {
    if (!isRefused(cause)) throw cause
    throw new SupervisorError(
      'DATABASE_REFUSED',
      `cannot go on: the database refuses: ${(cause as Error).message}`,
      {
        cause,
      },
    )
  }
}
