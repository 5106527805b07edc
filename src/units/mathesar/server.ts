import { oomScores } from '../../core/oom.ts'
import { permittedHosts, probeHost } from '../../settings/hosts.ts'
import { defineService } from '../unit.ts'
import { appEnvironment } from './environment.ts'

/**
 * Where the children find what they are given: our socket,
 * and after it the gate of `ServiceUnit.servesAfter`.
 */
const listenerFd = 3
const gate = { MATHESAR_GATE_FD: '4', MATHESAR_ANSWER_FD: '5' }

/** Where to ask what listens everywhere. */
const loopbackOf: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }

const startLimitMs = 300_000
const probeLimitMs = 10_000
const loginPath = '/auth/login/'

/** A new installation sends everybody to where the first administrator is made. */
const whyNotReady = (status: number, location: string | undefined): string | undefined =>
  status === 200 || (status === 302 && location?.startsWith('/complete_installation/'))
    ? undefined
    : `GET ${loginPath} answers ${status}`

/**
 * Mathesar: gunicorn on the socket that the supervisor holds.
 * It imports its code at once and serves when the migrations are done.
 */
export const mathesar = defineService({
  name: 'mathesar',
  needs: ['volume', 'secrets', 'listener', 'config'],
  servesAfter: ['migrations', 'sync'],
  description: 'Mathesar itself (gunicorn and Django)',
  policy: ({ settings }) => ({
    startLimitMs,
    graceMs: settings.STOP_GRACE_PERIOD * 400,
    retireMs: settings.GUNICORN_TIMEOUT * 1000,
    stableMs: 30_000,
    giveUpAfter: 8,
    backoff: { baseMs: 100, maxMs: 10_000 },
    stopSignal: 'SIGTERM',
  }),
  forwards: ['SIGUSR1', 'SIGTTIN', 'SIGTTOU', 'SIGWINCH'],
  watchedText: 'django.security.',
  command: async (scope) => {
    const {
      place: { paths, identities, machine },
      inForce: { settings },
      results,
    } = scope
    const scores = oomScores(machine.oomScoreAdj)
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
        ...appEnvironment(scope),
        ...gate,
        MATHESAR_CHECK_HOST: probeHost(permittedHosts(settings)),
        MATHESAR_WORKER_OOM_SCORE_ADJ: String(scores.worker),
      },
      oomScoreAdj: scores.service,
      user: identities.mathesar,
      cwd: paths.app,
      fds: [results.listener.fd],
    }
  },
  readCheck: (answer) => {
    // Code in the new generation may write anything.
    const [, why] = /^! ([ -~]{1,300})$/.exec(answer) ?? []
    if (why !== undefined) return why
    const [, status, location] = /^([1-5]\d\d) (\S*)$/.exec(answer) ?? []
    if (status === undefined) return 'the new generation cannot be checked: its answer is not an HTTP status'
    return whyNotReady(Number(status), location)
  },
  probe: async ({ system, inForce: { settings }, results: { listener } }, signal) => {
    const host = loopbackOf[listener.address] ?? listener.address
    const request = {
      path: loginPath,
      hostHeader: probeHost(permittedHosts(settings)),
      timeoutMs: probeLimitMs,
    }
    try {
      const { status, location } = await system.httpGet({ host, port: listener.port }, request, signal)
      return whyNotReady(status, location)
    } catch (error) {
      if (signal.aborted || !['AbortError', 'TimeoutError'].includes((error as Error).name)) throw error
      return (
        `GET ${loginPath} has no answer within ${probeLimitMs / 1000} s: all workers are busy, ` +
        'or it hangs'
      )
    }
  },
})
