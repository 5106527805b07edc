import type { ServiceUnit } from '../core/unit.ts'
import { probeHost } from '../core/settings.ts'
import { fitWorkers } from '../core/sizing.ts'
import { appRole, type Context, inRun, internalDatabase, inVolume } from './context.ts'

const listenerFd = 3
const gateFd = 4

/** Names of the container's environment that mean something to the supervisor alone, or that the settings below say anew. */
const notForApp = /^(SUPERVISOR_|DATABASE_URL|POSTGRES_|SECRET_KEY|.*_FILE$|NODE_|HOME$|USER$|LOG_FORMAT$|LOG_LEVEL$|PORT$|BIND_ADDRESS$)/

/** The environment of Mathesar: the container's, with the settings in force in place of their sources. */
export const appEnvironment = (context: Pick<Context, 'settings' | 'database' | 'paths' | 'machine' | 'environment' | 'made'>): Record<string, string> => {
  const { settings, database, paths, machine, environment, made } = context
  const inherited = Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined && !notForApp.test(entry[0]))
  const chosen = Object.entries(settings).flatMap(([name, { value }]) => (value === undefined || notForApp.test(name) ? [] : [[name, value] as const]))
  const connection = database.kind === 'embedded'
    ? { POSTGRES_HOST: inRun(paths).postgresSocket, POSTGRES_DB: internalDatabase, POSTGRES_USER: appRole }
    : {
        POSTGRES_HOST: database.host, POSTGRES_PORT: String(database.port), POSTGRES_DB: database.name, POSTGRES_USER: database.user,
        ...(database.password === undefined ? {} : { POSTGRES_PASSWORD: database.password }), ...(database.sslmode === undefined ? {} : { POSTGRES_SSLMODE: database.sslmode }),
      }
  const { media, temporary } = inVolume(paths)
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

/** Mathesar: gunicorn on the socket that the supervisor holds. It imports its code at once and serves when the migrations are done. */
export const mathesar: ServiceUnit<Context> = {
  name: 'mathesar',
  kind: 'service',
  needs: ['secrets', 'listener'],
  servesAfter: ['migrations'],
  does: 'Mathesar itself (gunicorn and Django)',
  policy: ({ settings }) => ({
    startLimitMs: 300_000,
    graceMs: Number(settings.STOP_GRACE_PERIOD.value) * 400,
    stableMs: 30_000,
    giveUpAfter: 8,
    backoff: { baseMs: 100, maxMs: 10_000 },
    stopSignal: 'SIGTERM',
  }),
  command: async (context) => {
    const { paths, identities, made } = context
    return {
      argv: [`${paths.pythonBin}/python3`, '-m', 'gunicorn', 'config.wsgi', '--bind', `fd://${listenerFd}`, '--chdir', paths.app, '--config', paths.gunicornConfig],
      env: { ...appEnvironment(context), MATHESAR_GATE_FD: String(gateFd) },
      user: identities.mathesar,
      cwd: paths.app,
      fds: [made.listener!, made.gate!.read],
    }
  },
  open: ({ made, closeDescriptor }) => {
    const { gate } = made
    if (gate?.write === undefined) return
    closeDescriptor(gate.write)
    gate.write = undefined
  },
  probe: async ({ settings, httpGet }, signal) => {
    const address = settings.BIND_ADDRESS.value === '0.0.0.0' ? '127.0.0.1' : settings.BIND_ADDRESS.value!
    const { status, location } = await httpGet({ host: address, port: Number(settings.PORT.value) }, '/auth/login/', probeHost(settings.ALLOWED_HOSTS.value!), 10_000, signal)
    if (status === 200 || (status === 302 && location?.startsWith('/complete_installation/'))) return undefined
    return `GET /auth/login/ answers ${status}`
  },
}
