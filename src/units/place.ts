import type { Client, ClientConfig } from 'pg'
import type { LogEvent } from '../core/log-lines.ts'
import type { Outcome } from '../core/outcome.ts'
import type { ConfigFiles } from '../settings/configuration.ts'
import type { Database, Values } from '../settings/table.ts'
import type { Machine } from './postgres/sizing.ts'
import type { Command, User } from '../core/unit.ts'
import { tlsOptions, waysOf } from '../settings/tls.ts'
import { SupervisorError } from '../errors.ts'
import type { Files } from '../system/files.ts'
import type { Answer } from '../system/http.ts'

/** Where things are. All absolute. */
export type Paths = {
  /** What must last. */
  readonly data: string
  /** Sockets and generated files of this run. */
  readonly run: string
  /** Mathesar's code. */
  readonly app: string
  /** The cluster template and the list of migrations made with the image. */
  readonly share: string
  readonly gunicornConfig: string
  /** Folder of `postgres`, `initdb`; `undefined` in an image without a server. */
  readonly postgresBin: string | undefined
  readonly pythonBin: string
}

export const inVolume = (paths: Paths) => ({
  cluster: `${paths.data}/postgres`,
  secrets: `${paths.data}/secrets`,
  config: `${paths.data}/config`,
  history: `${paths.data}/history`,
  media: `${paths.data}/media`,
  temporary: `${paths.data}/tmp`,
  /** Who holds it has the volume for itself. */
  lock: `${paths.data}/.lock`,
})

export const inRun = (paths: Paths) => ({
  control: `${paths.run}/control`,
  /** The host string that Mathesar stores for its own server: it must never change. */
  postgresSocket: `${paths.run}/postgres`,
  etc: `${paths.run}/etc`,
  /** Checked copies of the config files that Mathesar reads itself. */
  app: `${paths.run}/app`,
  /** In place of those of the volume where it cannot be written. */
  media: `${paths.run}/media`,
  temporary: `${paths.run}/tmp`,
})

/** Where Mathesar may write: in the volume, or in the folder of this run where the volume cannot be written and need not be. */
export const writableFolders = ({
  paths,
  made,
}: Pick<Context, 'paths' | 'made'>): { readonly media: string; readonly temporary: string } => {
  const { media, temporary } = made.ephemeral ? inRun(paths) : inVolume(paths)
  return { media, temporary }
}

/** Who runs what. Outside root there is one user, and nobody to change to. */
export type Identities = {
  readonly supervisor: User
  readonly postgres: User | undefined
  readonly mathesar: User | undefined
}

/** Everything that a unit may use. Units import no wrapper of the system: they get it here. */
export type Context = {
  readonly paths: Paths
  readonly settings: Values
  readonly database: Database
  readonly configFiles: ConfigFiles
  readonly machine: Machine
  readonly identities: Identities
  /** The environment that the container was started with. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Filled by the tasks, read by what needs them. */
  readonly made: {
    secretKey?: string
    keepSecretKey?: () => void
    postgresPassword?: string
    freshCluster?: boolean
    ownsCluster?: boolean
    ephemeral?: boolean
    listener?: number
  }
  readonly log: (level: LogEvent['level'], message: string) => void
  readonly addSecret: (secret: string | undefined) => void
  readonly detail: (unit: string, text: string | null) => void
  readonly files: Files
  readonly give: (path: string, user: User | undefined, mode: number) => void
  readonly lock: (path: string) => boolean
  readonly listenTcp: (address: string, port: number) => number
  readonly randomText: (length: number) => string
  readonly processIn: (folder: string, pid: number) => boolean
  /** Processes of this name that lost their parent, which was ours. */
  readonly orphans: (name: string) => readonly number[]
  readonly kill: (pid: number, signal: NodeJS.Signals) => void
  readonly runProgram: (
    unit: string,
    command: Command,
    options?: { readonly signal?: AbortSignal },
  ) => Promise<{ readonly outcome: Outcome; readonly lines: readonly string[] }>
  readonly withClient: <T>(ways: readonly ClientConfig[], use: (client: Client) => Promise<T>) => Promise<T>
  readonly httpGet: (
    target: { readonly host: string; readonly port: number },
    path: string,
    hostHeader: string,
    timeoutMs: number,
    signal: AbortSignal,
  ) => Promise<Answer>
  readonly retry: <T>(
    act: () => Promise<T>,
    options: {
      readonly forMs: number
      readonly signal: AbortSignal
      readonly again: (error: unknown) => boolean
      readonly onFailure: (error: unknown) => void
    },
  ) => Promise<T>
  readonly delay: (ms: number, signal?: AbortSignal) => Promise<void>
}

export const bootstrapPassword = 'bootstrap'

/** What a superuser's session starts with: no function or operator but Postgres's own can come in the way of what it calls. */
export const ownSearchPath = '-c search_path=pg_catalog'

/**
 * Runs as the superuser of the embedded Postgres: over its socket as the operating system's user, or by password where there is but
 * one user. Its own database is the only one in which Mathesar's role owns nothing and may make nothing.
 */
export const asSuperuser = async <T>(context: Context, use: (client: Client) => Promise<T>): Promise<T> => {
  const config = {
    host: inRun(context.paths).postgresSocket,
    user: 'postgres',
    database: 'postgres',
    options: ownSearchPath,
    ssl: false,
  }
  const { freshCluster, postgresPassword } = context.made
  try {
    return await context.withClient(
      [
        {
          ...config,
          password: freshCluster || postgresPassword === undefined ? bootstrapPassword : postgresPassword,
        },
      ],
      use,
    )
  } catch (error) {
    // A boot that was cut off may have left the template's password; nothing but us can reach the cluster then.
    if (freshCluster || (error as { code?: string }).code !== '28P01') throw error
    return await context.withClient([{ ...config, password: bootstrapPassword }], use)
  }
}

export const internalDatabase = 'mathesar_django'
export const appRole = 'mathesar'

/** The certificate of the CA. What libpq would tell Mathesar alone, and late, is said here. */
const readRootCertificate = ({ files, identities: { mathesar } }: Context, path: string): string => {
  const read = (): string => {
    if (!files.mayRead(path, mathesar))
      throw new Error(`user ${mathesar?.name}, who runs Mathesar, may not read it`)
    const text = files.readIfThere(path, 1024 * 1024) ?? ''
    if (!/-----BEGIN (X509 |TRUSTED )?CERTIFICATE-----/.test(text))
      throw new Error('it holds no certificate in PEM')
    return text
  }
  try {
    return read()
  } catch (cause) {
    throw new SupervisorError(
      'SETTING_INVALID',
      `cannot use POSTGRES_SSLROOTCERT ${path}: ${(cause as Error).message}`,
      {
        cause,
        hint: `Mount the certificate of the CA there, as PEM that everybody may read (\`chmod a+r\`): \`-v ./ca.pem:${path}:ro\`.`,
      },
    )
  }
}

/** How to connect to the database that Mathesar keeps its own tables in: one way, or two to be tried in turn. */
export const connectionOf = (context: Context): readonly ClientConfig[] => {
  const { database, paths } = context
  // Without `ssl`, pg would look into our environment.
  if (database.kind === 'embedded')
    return [{ host: inRun(paths).postgresSocket, user: appRole, database: internalDatabase, ssl: false }]
  const { host, port, name, user, password, sslmode, sslrootcert } = database
  const plain = {
    host,
    port,
    database: name,
    user,
    ...(password === undefined ? {} : { password }),
    ssl: false,
  }
  const ways = waysOf(database)
  const ca =
    sslrootcert === undefined || !ways.includes('tls') ? undefined : readRootCertificate(context, sslrootcert)
  return ways.map((way) => (way === 'plain' ? plain : { ...plain, ssl: tlsOptions(sslmode, ca) }))
}
