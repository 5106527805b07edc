import { isatty } from 'node:tty'
import { MiB } from '../core/amounts.ts'
import { SupervisorError } from '../errors.ts'
import { isServing, keepAwake } from '../http/client.ts'
import { operationScope, type OperationScope } from '../operations/scope.ts'
import { environment } from '../system/environment.ts'
import { openKernel } from '../system/kernel.ts'
import { createLog } from '../system/log.ts'
import { createProcesses } from '../system/process.ts'
import { startReaper } from '../system/reaper.ts'
import { catchSignals } from '../system/signals.ts'
import { Sink } from '../system/sink.ts'
import { createStreams } from '../system/streams.ts'
import { createBase, createSystem } from '../system/system.ts'
import { readManifest } from '../units/manifest.ts'
import type { Brought } from './run/instance.ts'
import { isWaiting, readJournal } from '../units/swap.ts'
import { readOwnSetup } from './own.ts'

/** An operation keeps its output for itself: what there is to say goes to standard error. */
const standardError = 2

export const tell = (text: string): void => void process.stderr.write(`${text}\n`)

/** Fails with the first of several failures, and tells the others before. */
export const throwFirst = ([first, ...more]: readonly SupervisorError[]): void => {
  for (const { message } of more) tell(message)
  if (first !== undefined) throw first
}

const openSystem = (): OperationScope['system'] => {
  const kernel = openKernel()
  kernel.keepHeapSmall()
  const processes = createProcesses(kernel)
  // As PID 1 of a container of its own, it gets whatever loses its parent.
  if (process.pid === 1) startReaper(kernel, processes.isOwn)
  const log = createLog(new Sink(kernel, standardError), 'text', 'warn')
  return {
    ...createSystem(createBase(kernel), processes, log),
    ...createStreams({ own: processes.own, kernel }),
  }
}

/** The scope of an operation that needs no server, or has the one of this container. */
export const openOperation = async (): Promise<OperationScope> => {
  const { place, configuration } = await readOwnSetup()
  return operationScope(openSystem(), place, configuration)
}

/** One that is on its way into the volume is there once the start has finished that. */
const requireInstallation = (scope: OperationScope): void => {
  const { place, inForce } = scope
  const isComing = isWaiting(readJournal(scope))
  if (isComing || inForce.database.kind === 'external' || readManifest(scope).cluster !== undefined) return
  throw new SupervisorError(
    'BACKUP_FAILED',
    `cannot back up: no installation has served from ${place.paths.data}`,
    {
      hint:
        'Mount its volume: `docker run --rm --log-driver none ' +
        `-v VOLUME:${place.paths.data} IMAGE backup - > FILE\`.`,
    },
  )
}

/**
 * Not SIGPWR, which says that a stop may have come while Node started: the end of a child wakes who watches
 * for that, too, and an operation has children at once.
 */
const stopSignals = new Set<NodeJS.Signals>(['SIGTERM', 'SIGINT', 'SIGQUIT', 'SIGHUP'])

const whatIsBegun = 'What was begun is left out, or the next start finishes it: `supervisor status` tells.'

/**
 * Gives up at the first signal that asks for it, which PID 1 would not hear otherwise. Nothing has to be
 * undone: an operation may be cut off at any moment.
 */
export const untilStopped = async <T>(act: Promise<T>, hint = whatIsBegun): Promise<T> => {
  const stopped = new Promise<never>((_, reject) => {
    catchSignals().listen((signal) => {
      if (!stopSignals.has(signal)) return
      reject(
        new SupervisorError('BACKUP_FAILED', `cannot go on: ${signal} asked to stop`, {
          hint,
        }),
      )
    })
  })
  return await Promise.race([act, stopped])
}

/** Runs an operation with a server: that of this container, or one that is started for it alone. */
export const withServer = async (act: (scope: OperationScope) => Promise<void>): Promise<number> => {
  const scope = await openOperation()
  if (await isServing()) {
    await keepAwake()
    await untilStopped(act(scope))
    return 0
  }
  requireInstallation(scope)
  const { runDaemon } = await import('./run/daemon.ts')
  const until = {
    unit: 'database',
    whenCutOff: 'BACKUP_FAILED',
    whenInUse: 'It need not stop: `docker exec CONTAINER supervisor backup > FILE` makes the archive in it.',
    act: ({ system, place, inForce }: Brought) => act(operationScope(system, place, inForce)),
  } as const
  const env = { LOG_LEVEL: 'warn', ...environment }
  return await runDaemon(catchSignals(), env, { until, logTo: standardError, isQuiet: true })
}

/** Shows on a terminal how far it is. */
export const createProgress = (clock: OperationScope['system']['clock']) => {
  const isShown = isatty(standardError)
  const beganMs = clock.elapsed()
  let nextMs = 0
  return {
    report: (done: number, total: number): void => {
      if (!isShown || clock.elapsed() < nextMs) return
      nextMs = clock.elapsed() + 200
      const share = total > 0 ? ` of about ${Math.round(total / MiB)}` : ''
      process.stderr.write(
        `\r${Math.round(done / MiB)}${share} MiB, ${Math.round((clock.elapsed() - beganMs) / 1000)} s `,
      )
    },
    end: (): number => {
      if (isShown && nextMs > 0) process.stderr.write('\r\u001b[K')
      return clock.elapsed() - beganMs
    },
  }
}
