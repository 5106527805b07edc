import type { ServiceUnit } from '../../core/unit.ts'
import { isSetting, probeHost } from '../../settings/table.ts'
import { fitWorkers, oomScores } from '../postgres/sizing.ts'
import { appRole, type Context, inRun, internalDatabase, writableFolders } from '../place.ts'

const listenerFd = 3
/** The gate of `ServiceUnit.servesAfter`: the descriptors after ours. */
const gate = { MATHESAR_GATE_FD: '4', MATHESAR_ANSWER_FD: '5' }

/** Names of the container's environment that mean something to the supervisor alone, or that the settings below say anew. */
const notForApp =
  /^(SUPERVISOR_|DATABASE_URL|POSTGRES_|EMBEDDED_POSTGRES_|UI_MAY_EDIT_CONFIG$|SECRET_KEY|.*_FILE$|NODE_|HOME$|USER$|LOG_FORMAT$|LOG_LEVEL$|PORT$|BIND_ADDRESS$)/

/** The environment of Mathesar: the container's, with the settings in force in place of their sources. */
export const appEnvironment = (
  context: Pick<Context, 'settings' | 'database' | 'paths' | 'machine' | 'environment' | 'made'>,
): Record<string, string> => {
  const { settings, database, paths, machine, environment, made } = context
  // A setting comes from below alone: an empty variable counts as not given, and must not hide the default.
  const inherited = Object.entries(environment).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && !isSetting(entry[0]) && !notForApp.test(entry[0]),
  )
  const chosen = Object.entries(settings).flatMap(([name, { value }]) =>
    value === undefined || notForApp.test(name) ? [] : [[name, value] as const],
  )
  const connection =
    database.kind === 'embedded'
      ? { POSTGRES_HOST: inRun(paths).postgresSocket, POSTGRES_DB: internalDatabase, POSTGRES_USER: appRole }
      : {
          POSTGRES_HOST: database.host,
          POSTGRES_PORT: String(database.port),
          POSTGRES_DB: database.name,
          POSTGRES_USER: database.user,
          ...(database.password === undefined ? {} : { POSTGRES_PASSWORD: database.password }),
          ...(database.sslmode === undefined ? {} : { POSTGRES_SSLMODE: database.sslmode }),
          ...(database.sslrootcert === undefined ? {} : { POSTGRES_SSLROOTCERT: database.sslrootcert }),
        }
  const { media, temporary } = writableFolders(context)
  return {
    WEB_CONCURRENCY: String(fitWorkers(machine)),
    DJANGO_SETTINGS_MODULE: 'config.settings.production',
    PYTHONUNBUFFERED: '1',
    ...Object.fromEntries(inherited),
    ...Object.fromEntries(chosen),
    ...connection,
    SECRET_KEY: made.secretKey!,
    MEDIA_ROOT: environment.MEDIA_ROOT ?? `${media}/`,
    TMPDIR: temporary,
    HOME: temporary,
  }
}

const whyNotReady = (status: number, location: string | undefined): string | undefined =>
  status === 200 || (status === 302 && location?.startsWith('/complete_installation/'))
    ? undefined
    : `GET /auth/login/ answers ${status}`

/** Mathesar: gunicorn on the socket that the supervisor holds. It imports its code at once and serves when the migrations are done. */
export const mathesar: ServiceUnit<Context> = {
  name: 'mathesar',
  kind: 'service',
  needs: ['secrets', 'listener', 'config'],
  servesAfter: ['migrations', 'sync'],
  does: 'Mathesar itself (gunicorn and Django)',
  policy: ({ settings }) => ({
    startLimitMs: 300_000,
    graceMs: Number(settings.STOP_GRACE_PERIOD.value) * 400,
    retireMs: Number(settings.GUNICORN_TIMEOUT.value) * 1000,
    stableMs: 30_000,
    giveUpAfter: 8,
    backoff: { baseMs: 100, maxMs: 10_000 },
    stopSignal: 'SIGTERM',
  }),
  command: async (context) => {
    const { paths, identities, machine, made } = context
    return {
      argv: [
        `${paths.pythonBin}/python3`,
        '-m',
        'gunicorn',
        'config.wsgi',
        '--bind',
        `fd://${listenerFd}`,
        '--chdir',
        paths.app,
        '--config',
        paths.gunicornConfig,
      ],
      env: {
        ...appEnvironment(context),
        ...gate,
        MATHESAR_CHECK_HOST: probeHost(context.settings.ALLOWED_HOSTS.value!),
        MATHESAR_WORKER_OOM_SCORE_ADJ: String(oomScores(machine.oomScoreAdj).worker),
      },
      user: identities.mathesar,
      cwd: paths.app,
      fds: [made.listener!],
    }
  },
  readCheck: (answer) => {
    const [, status, location] = /^([1-5]\d\d) (\S*)$/.exec(answer) ?? []
    return status === undefined
      ? 'the new generation cannot be checked: its answer is not an HTTP status'
      : whyNotReady(Number(status), location)
  },
  probe: async ({ settings, httpGet }, signal) => {
    const address = settings.BIND_ADDRESS.value === '0.0.0.0' ? '127.0.0.1' : settings.BIND_ADDRESS.value!
    const { status, location } = await httpGet(
      { host: address, port: Number(settings.PORT.value) },
      '/auth/login/',
      probeHost(settings.ALLOWED_HOSTS.value!),
      10_000,
      signal,
    )
    return whyNotReady(status, location)
  },
}
