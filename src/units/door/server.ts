import { readDoorLine } from '../../core/door-lines.ts'
import { oomScores } from '../../core/oom.ts'
import { probeHost } from '../../settings/hosts.ts'
import { secondsToStop } from '../../settings/stopping.ts'
import { doorPath, inRun } from '../place.ts'
import { reachableAddress } from '../results.ts'
import { whyStopped } from '../hung.ts'
import { defineService } from '../unit.ts'
import { configFile } from './config.ts'
import { markStop, reloadDoor } from './reload.ts'

const probeLimitMs = 5000

/**
 * The door: nginx on the port that the supervisor holds. It serves static files, takes in slow requests,
 * gives out slow answers, and asks the supervisor where Mathesar does not serve. How it inherits a socket is
 * its own way of replacing its binary ("Upgrading Executable on the Fly").
 */
export const door = defineService({
  name: 'door',
  needs: ['listener', 'volume', 'upstream', 'door-config'],
  // It answers until Mathesar has; but where there was time for load balancers to notice, it goes first: they
  // try another server when nobody listens, and not after an answer.
  stopsAfter: ({ settings }) => (settings.DRAIN_DELAY > 0 ? [] : ['mathesar']),
  description: 'the web server in front of Mathesar (nginx)',
  skip: (_, { paths }) => (paths.nginx === undefined ? 'there is no nginx here' : undefined),
  policy: ({ settings }) => ({
    startLimitMs: 10_000,
    graceMs: secondsToStop(settings) * (settings.DRAIN_DELAY > 0 ? 400 : 100),
    stableMs: 30_000,
    giveUpAfter: 8,
    backoff: { baseMs: 20, maxMs: 10_000 },
    stopSignal: 'SIGQUIT', // It finishes what it has begun.
    forceStopSignal: 'SIGTERM',
  }),
  whyHung: whyStopped,
  onDraining: markStop,
  reload: reloadDoor,
  readLine: readDoorLine,
  command: async ({ place: { paths, identities, machine }, results: { listener, volume } }) => ({
    argv: [paths.nginx ?? 'nginx', '-e', 'stderr', '-p', volume.buffer, '-c', configFile(paths)],
    env: { NGINX: '3;' },
    oomScoreAdj: oomScores(machine.oomScoreAdj).service,
    user: identities.door,
    cwd: inRun(paths).door,
    fds: [listener.fd],
    reopensOutput: true, // For its access log.
  }),
  probe: async ({ system, results: { listener } }, signal) => {
    const host = reachableAddress(listener)
    const request = { path: doorPath, hostHeader: probeHost, timeoutMs: probeLimitMs }
    await system.httpGet({ host, port: listener.port }, request, signal) // Any answer is its own.
    return undefined
  },
})
