import { oomScores } from '../../core/oom.ts'
import { probeHost } from '../../settings/hosts.ts'
import { secondsToStop } from '../../settings/stopping.ts'
import { isUpstreamShut, mendUpstream } from '../door/upstream.ts'
import { whyStopped } from '../hung.ts'
import { activityFile, inDoor } from '../place.ts'
import { databaseTrouble } from '../postgres/external.ts'
import { defineService, type Scope } from '../unit.ts'
import { appEnvironment } from './environment.ts'

/** Where the children find the gate of `ServiceUnit.servesAfter`: after the socket that they serve on, 3. */
const gate = { MATHESAR_GATE_FD: '4', MATHESAR_ANSWER_FD: '5' }

const startLimitMs = 300_000
const probeLimitMs = 10_000
const loginPath = '/auth/login/'

/** A new installation sends everybody to where the first administrator is made. */
const whyNotReady = (status: number, location: string | undefined): string | undefined =>
  status === 200 || (status === 302 && location?.startsWith('/complete_installation/'))
    ? undefined
    : `GET ${loginPath} answers ${status}`

/** Asks the page that needs nobody's login. */
const askLoginPage = async (
  { system, results: { upstream } }: Scope<'upstream'>,
  signal: AbortSignal,
): Promise<string | undefined> => {
  const request = { path: loginPath, hostHeader: probeHost, timeoutMs: probeLimitMs }
  try {
    const { status, location } = await system.httpGet(upstream.target, request, signal)
    return whyNotReady(status, location)
  } catch (error) {
    if (signal.aborted || !['AbortError', 'TimeoutError'].includes((error as Error).name)) throw error
    return `GET ${loginPath} has no answer within ${probeLimitMs / 1000} s: all workers are busy, or it hangs`
  }
}

/**
 * Mathesar: gunicorn on the socket that the supervisor holds.
 * It imports its code at once and serves when the migrations are done.
 */
export const mathesar = defineService({
  name: 'mathesar',
  needs: ['volume', 'secrets', 'upstream', 'config'],
  servesAfter: ['migrations', 'administrator', 'user-databases', 'sync', 'manifest'],
  stopsAfter: ({ settings }) => (settings.DRAIN_DELAY > 0 ? ['door'] : []),
  description: 'Mathesar itself (gunicorn and Django)',
  policy: ({ settings }) => ({
    startLimitMs,
    graceMs: secondsToStop(settings) * 400,
    shutdownMs: secondsToStop(settings) * (settings.DRAIN_DELAY > 0 ? 100 : 400),
    retireMs: settings.GUNICORN_TIMEOUT * 1000,
    stableMs: 30_000,
    giveUpAfter: 8,
    backoff: { baseMs: 100, maxMs: 10_000 },
    stopSignal: 'SIGTERM',
  }),
  forwards: ['SIGUSR1', 'SIGTTIN', 'SIGTTOU', 'SIGWINCH'],
  watchedText: 'django.security.',
  troubleText: ': the database is away: ', // `database_away.py`
  command: async (scope) => {
    const {
      place: { paths, identities, machine },
      results,
    } = scope
    const scores = oomScores(machine.oomScoreAdj)
    mendUpstream(scope)
    return {
      argv: [
        `${paths.pythonBin}/python3`,
        '-m',
        'gunicorn',
        'config.wsgi',
        '--chdir',
        paths.app,
        '--config',
        paths.gunicornConfig,
      ],
      env: {
        ...appEnvironment(scope),
        ...gate,
        ...(paths.nginx === undefined ? {} : { MATHESAR_STATIC_FILES: 'door' }),
        MATHESAR_CHECK_HOST: probeHost,
        MATHESAR_WORKER_OOM_SCORE_ADJ: String(scores.worker),
      },
      oomScoreAdj: scores.service,
      user: identities.mathesar,
      cwd: paths.app,
      fds: [results.upstream.fd],
    }
  },
  // gunicorn's first process looks after its workers each second.
  whyHung: (scope, now, before) =>
    whyStopped(scope, now) ??
    (isUpstreamShut(scope) ? 'its socket is shut' : undefined) ??
    (now.sleeps === before?.sleeps ? 'its first process does nothing any more' : undefined),
  lastUsedMs: async ({ system: { files }, place: { paths } }) =>
    files.statOf(activityFile(paths))?.changedMs ?? 0,
  onServing: ({ system: { files }, place: { paths } }, isServing) => {
    if (paths.nginx === undefined) return
    const { mathesar, serving } = inDoor(paths)
    if (isServing) files.link(mathesar, serving)
    else files.remove(serving)
  },
  readCheck: (answer) => {
    // Code in the new generation may write anything.
    const [, why] = /^! ([ -~]{1,300})$/.exec(answer) ?? []
    if (why !== undefined) return why
    const [, status, location] = /^([1-5]\d\d) (\S*)$/.exec(answer) ?? []
    if (status === undefined) return 'the new generation cannot be checked: its answer is not an HTTP status'
    return whyNotReady(Number(status), location)
  },
  // Each page that fails for want of its database writes a traceback: once that is the cause, the database
  // alone is asked.
  probe: async (scope, signal, before) => {
    const trouble = before === undefined ? undefined : await databaseTrouble(scope, false)
    if (trouble !== undefined) return trouble
    const why = await askLoginPage(scope, signal)
    return (await databaseTrouble(scope, why === undefined)) ?? why
  },
})
