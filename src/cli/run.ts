import { existsSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { levels } from '../core/log-lines.ts'
import { fallBack, readSetup, type Setup } from '../daemon/config/boot-trial.ts'
import { StopRequests } from '../daemon/stop-requests.ts'
import { SupervisorError, toSupervisorError } from '../errors.ts'
import { environmentWarnings } from '../settings/configuration.ts'
import { environment } from '../system/environment.ts'
import { openKernel } from '../system/kernel.ts'
import { createLog, type Log } from '../system/log.ts'
import { readPlace } from '../system/machine.ts'
import { readPaths } from '../system/paths.ts'
import { catchSignals, type Signals } from '../system/signals.ts'
import { Sink } from '../system/sink.ts'
import { createBase } from '../system/system.ts'
import { requireUnheld } from '../units/holder.ts'
import { controlSocket } from '../units/place.ts'
import { resumeSwap } from '../units/swap.ts'
import { assemble, type Brought, type Until } from './assemble.ts'
import { keepIfWanted } from './keep.ts'
import { bringBack } from './bring-back.ts'
import { bootAgain, type Environment } from './boot-again.ts'
import { handleSignals } from './signals.ts'
import { greet } from './greet.ts'

const flushLimitMs = 2000

const read = async (
  base: ReturnType<typeof createBase>,
  env: Environment,
): Promise<Setup | SupervisorError> => {
  try {
    const place = readPlace(env)
    await requireUnheld({ system: base, place })
    resumeSwap({ files: base.files, paths: place.paths }, base.lock)
    return await readSetup(base, place, base.lock)
  } catch (error) {
    return toSupervisorError(error)
  }
}

const openLog = (sink: Sink, env: Environment, setup: Setup | SupervisorError): Log => {
  const [format, least] = (['LOG_FORMAT', 'LOG_LEVEL'] as const).map((name) =>
    setup instanceof SupervisorError ? env[name] : setup.configuration.values[name].value,
  )
  return createLog(
    sink,
    format === 'json' ? 'json' : 'text',
    levels.find((level) => level === least) ?? 'info',
  )
}

type Options = {
  /** Without it, everything is brought up, and serves. */
  readonly until?: Until
  /** Is told why the exit code is not 0. */
  readonly onFailure?: (error: SupervisorError) => void
  /** Where the log goes: elsewhere than to 1 where that has something else. */
  readonly logTo?: number
}

const cutOff = ({ whenCutOff }: Until): SupervisorError =>
  new SupervisorError(whenCutOff, 'cannot go on: it was asked to stop', { hint: 'Type the same again.' })

/** The last line of a log says why the container exits. */
const exitWith = async (
  error: SupervisorError | undefined,
  log: Log,
  sink: Sink,
  { onFailure }: Options,
): Promise<number> => {
  if (error) {
    onFailure?.(error)
    const { code, exitCode, message, hint, faultStack } = error
    if (faultStack !== undefined) log.say('error', faultStack)
    log.say('error', `exit code ${exitCode} (${code}): ${message}\n${hint}`, { code, hint, exitCode })
  }
  await sink.flush(flushLimitMs)
  return error?.exitCode ?? 0
}

type Parts = ReturnType<typeof assemble>

/** Brings everything up, and waits for its end: that of the instance, or that another run has the volume. */
const runToEnd = async ({ system, instance, keepers, sockets, lost }: Parts, isServer: boolean) => {
  keepers.start('boot')
  if (!instance.isStopping) system.inBackground('start', () => instance.start())
  await nextTurn() // The first child is on its way: it need not wait for Node to load HTTP.
  if (isServer) await sockets.open().catch((error) => instance.fail(toSupervisorError(error)))
  return await Promise.race([
    instance.ended.then((error) => ({ error, isLost: false })),
    lost.then((error) => ({ error, isLost: true })),
  ])
}

/** After a failed boot: whether another one may do better, with the settings of before or with a backup. */
const canBootAgain = async (
  error: SupervisorError,
  setup: Setup,
  { system, instance, ending, sockets }: Parts,
  stops: StopRequests,
): Promise<boolean> => {
  const wentBack = await fallBack(system, setup, error, system.clock.now())
  if (!wentBack)
    return await bringBack(error, { system, place: setup.place, instance, ending, stops, sockets })
  const why = `the boot failed with the edited configuration (${error.message})`
  system.log.say('warn', `${why}: starting again with the one before`)
  return true
}

/** The composition root: runs until all is down. Resolves with the exit code. */
export const runDaemon = async (
  signals: Signals,
  env: Environment,
  options: Options = {},
): Promise<number> => {
  const kernel = openKernel()
  kernel.keepHeapSmall()
  const sink = new Sink(kernel, options.logTo ?? 1)
  const base = createBase(kernel)
  const startedAtMs = base.clock.now() - Math.round(process.uptime() * 1000)
  const setup = await read(base, env)
  const log = openLog(sink, env, setup)
  if (setup instanceof SupervisorError) {
    for (const warning of environmentWarnings(env)) log.say('warn', warning)
    return await exitWith(setup, log, sink, options)
  }
  greet(setup, log)
  if (process.pid !== 1) kernel.becomeSubreaper()
  const { until } = options
  let isDone = false
  const noting = until && {
    ...until,
    act: async (brought: Brought) => {
      await until.act(brought)
      isDone = true
    },
  }
  const parts = assemble({ setup, kernel, base, log, sink, startedAtMs }, noting)
  const { system, instance, config, keepers, ending, sockets, reaper } = parts
  const stops = new StopRequests(system, instance)
  handleSignals(signals, instance, stops, config, ending, system)

  const isServer = until === undefined
  const end = await runToEnd(parts, isServer)
  // A stop in order would write to the volume that another run has now. All ends with this process.
  if (end.isLost) return await exitWith(end.error, log, sink, options)
  const error = end.error ?? (until && !isDone ? cutOff(until) : undefined)
  await keepers.stop()
  if (!error) log.say('info', 'everything stopped cleanly')
  await config.close()

  let bootsAgain = false
  if (error && isServer && !stops.isAsked) {
    bootsAgain = !instance.wasReady && (await canBootAgain(error, setup, parts, stops))
    if (!bootsAgain && !stops.isAsked) await keepIfWanted(error, { instance, ending, sockets, say: log.say })
  }
  sockets.close()
  reaper.stop()
  const startsOver = !stops.isAsked && (bootsAgain || ending.isStartingOver)
  if (!startsOver) return await exitWith(error, log, sink, options)
  await sink.flush(flushLimitMs)
  return bootAgain(env)
}

export const run = async (): Promise<number> => {
  const signals = catchSignals()
  // Typed beside one that runs: its socket is there. A start needs no HTTP before its first child.
  if (process.pid !== 1 && existsSync(controlSocket(readPaths(environment)))) {
    const { requireAlone } = await import('../http/client.ts')
    await requireAlone('start', '`supervisor status` shows how it is.')
  }
  return await runDaemon(signals, environment)
}
