import { definedOf } from '../../core/record.ts'
import type { Command } from '../../core/unit.ts'
import type { InForce } from '../../settings/configuration.ts'
import { privatePattern, trustedOrigins } from '../../settings/hosts.ts'
import { isSetting, settingNames, variableNames } from '../../settings/table.ts'
import { activityFile, hostsFile, inRun, inVolume, ownProgram, type Paths, type Place } from '../place.ts'
import { appRole, internalDatabase } from '../postgres/connection.ts'
import { whichHost } from '../postgres/libpq.ts'
import type { Scope } from '../unit.ts'
import { fitThreads, fitWorkers } from './sizing.ts'

/**
 * Names of the container's environment that mean something to the supervisor alone,
 * or that the settings below say again.
 */
const notForApp = new RegExp(
  `^(?:${[
    'SUPERVISOR_',
    'PG[A-Z]',
    'DATABASE_URL',
    'POSTGRES_',
    'EMBEDDED_POSTGRES_',
    'UI_MAY_EDIT_CONFIG$',
    'BACKUP_',
    'SECRET_KEY',
    '(?:MATHESAR_)?ADMIN_(?:USERNAME|EMAIL|PASSWORD|SETUP)$',
    'SETUP_CODE$',
    'DEMO$',
    'NODE_',
    'HOME$',
    'USER$',
    'LOG_FORMAT$',
    'LOG_LEVEL$',
    'PORT$',
    'BIND_ADDRESS$',
    'TRUSTED_PROXIES$',
    'TLS$',
    'TLS_CERTIFICATE$',
    'TLS_KEY$',
    'ACCESS_LOG$',
    'METRICS$',
    'NOTIFY_URL$',
    'CONSOLE(?:_CODE)?$',
    'SLEEP_AFTER$',
  ].join('|')})`,
)

/**
 * Where the value of a setting is. Other names that end so are no business of ours: a logo of Mathesar, the
 * token of a cloud.
 */
const isOurFile = (name: string): boolean =>
  name.endsWith('_FILE') && variableNames.includes(name.slice(0, -'_FILE'.length))

const settingsOfApp = settingNames.filter((name) => !notForApp.test(name))

/**
 * Mathesar from 0.12 on leaves Django's admin out unless this is set. Its tables are made, and counted as the
 * image's, whether anybody uses it: who turns it on later then needs no migration, and an older Mathesar,
 * which always has it, finds them.
 */
export const withAdmin = { MATHESAR_DJANGO_ADMIN_ENABLED: 'true' } as const

/** What the environment of Mathesar depends on. */
export type AppScope = Pick<Scope<'volume' | 'secrets'>, 'place' | 'inForce' | 'results'>

/** That of a volume which has served, without the tasks of a boot. */
export const appScopeOf = (
  place: Place,
  inForce: InForce,
  secrets: AppScope['results']['secrets'],
): AppScope => {
  const { media, temporary, buffer } = inVolume(place.paths)
  return {
    place,
    inForce,
    results: { volume: { isEphemeral: false, media, temporary, buffer }, secrets },
  }
}

/** A program of ours in Python that uses Mathesar's code, as its user. */
export const appProgram = (
  { paths, identities }: Place,
  [name, ...args]: readonly [string, ...string[]],
  env: Command['env'],
): Command => ({
  argv: [`${paths.pythonBin}/python3`, ownProgram(paths, name), ...args],
  cwd: paths.app,
  user: identities.mathesar,
  env,
})

const connectionOf = ({ place, inForce: { database } }: AppScope): Record<string, string | undefined> => {
  if (database.kind === 'embedded')
    return {
      POSTGRES_HOST: inRun(place.paths).postgresSocket,
      POSTGRES_DB: internalDatabase,
      POSTGRES_USER: appRole,
    }
  return {
    POSTGRES_HOST: database.host,
    POSTGRES_PORT: String(database.port),
    POSTGRES_DB: database.name,
    POSTGRES_USER: database.user,
    POSTGRES_PASSWORD: database.password,
    POSTGRES_SSLMODE: database.sslmode,
    POSTGRES_SSLROOTCERT: database.sslrootcert,
    POSTGRES_CHANNEL_BINDING: database.channelBinding,
    ...whichHost(database), // Also for the databases that Mathesar makes there.
  }
}

/**
 * A server that vanished, Mathesar's own or that of a connected database, holds a thread for half a minute:
 * libpq has no limit of its own. A database that sleeps has until then to wake.
 */
const patienceWith = (paths: Pick<Paths, 'gunicornConfig'>): Record<string, string> => ({
  PGCONNECT_TIMEOUT: '30',
  PGSERVICEFILE: ownProgram(paths, 'pg_service.conf'),
  PGSERVICE: 'mathesar',
})

/** What the smallest servers that people rent accept, less what others of theirs use. */
const externalConnections = 30

const concurrencyOf = ({
  place: { machine },
  inForce: { settings, database },
}: AppScope): Record<'WEB_CONCURRENCY' | 'WEB_THREADS', string> => {
  const workers = settings.WEB_CONCURRENCY ?? fitWorkers(machine)
  const connections =
    database.kind === 'embedded' ? settings.EMBEDDED_POSTGRES_MAX_CONNECTIONS : externalConnections
  const threads = settings.WEB_THREADS ?? fitThreads(machine, workers, connections)
  return { WEB_CONCURRENCY: String(workers), WEB_THREADS: String(threads) }
}

/** The environment of Mathesar: the container's, with the settings in force in place of their sources. */
export const appEnvironment = (scope: AppScope): Record<string, string> => {
  const {
    place,
    inForce,
    results: { volume, secrets },
  } = scope
  // A setting comes from below alone: an empty variable counts as not given, and must not hide the default.
  const inherited = Object.entries(place.environment).filter(
    ([name]) => !isSetting(name) && !notForApp.test(name) && !isOurFile(name),
  )
  const chosen = settingsOfApp.map((name) => [name, inForce.values[name].value] as const)
  const all: Record<string, string | undefined> = {
    MALLOC_ARENA_MAX: '2', // Threads would have eight for each processor, which keep what they free.
    DJANGO_SETTINGS_MODULE: 'config.settings.production',
    PYTHONUNBUFFERED: '1',
    MEDIA_ROOT: `${volume.media}/`,
    ...Object.fromEntries(inherited.filter(([, value]) => value !== undefined)),
    ...Object.fromEntries(chosen.filter(([, value]) => value !== undefined)),
    ...concurrencyOf(scope),
    MATHESAR_PRIVATE_HOSTS: privatePattern,
    ALLOWED_HOSTS: undefined, // The file has them, and they may change.
    MATHESAR_HOSTS_FILE: hostsFile(place.paths),
    MATHESAR_ACTIVITY_FILE: activityFile(place.paths),
    CSRF_TRUSTED_ORIGINS: trustedOrigins(inForce.settings).join(',') || undefined,
    ...patienceWith(place.paths),
    ...connectionOf(scope),
    SECRET_KEY: secrets.secretKey,
    TMPDIR: volume.temporary,
    HOME: volume.temporary,
  }
  return definedOf(all)
}
