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
import { catchSignals, type Signals } from '../system/signals.ts'
import { Sink } from '../system/sink.ts'
import { createBase } from '../system/system.ts'
import { requireUnheld } from '../units/holder.ts'
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

const fellBackText = ({ message }: SupervisorError): string =>
  `the boot failed with the edited configuration (${message}): starting again with the one before`

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
  const { system, instance, config, beside, ending, sockets, reaper, notifier } = parts
  const { stopHolding, lost } = parts

  const stops = new StopRequests(system, instance)
  handleSignals(signals, instance, stops, config, ending, system)
  if (!instance.isStopping) system.inBackground('start', () => instance.start())
  await nextTurn() // The first child is on its way: it need not wait for Node to load HTTP.
  const hasSockets = options.until === undefined
  if (hasSockets) await sockets.open().catch((error) => instance.fail(toSupervisorError(error)))

  const ended = await Promise.race([instance.ended, lost.then((error) => ({ error }))])
  // Another container has the volume: a stop in order would write to it. All ends with this process.
  if (ended !== undefined && 'error' in ended) return await exitWith(ended.error, log, sink, options)
  const error = ended ?? (until && !isDone ? cutOff(until) : undefined)
  stopHolding()
  await notifier?.finish(flushLimitMs)
  if (!error) log.say('info', 'everything stopped cleanly')
  beside.close()
  await config.close()
  const mayBootAgain = hasSockets && !instance.wasReady && !stops.isAsked
  const wentBack = error && mayBootAgain && (await fallBack(system, setup, error, system.clock.now()))
  const surroundings = { system, place: setup.place, instance, ending, stops, sockets }
  const isBroughtBack = error && mayBootAgain && !wentBack && (await bringBack(error, surroundings))
  if (wentBack) log.say('warn', fellBackText(error))
  else if (!isBroughtBack && error && hasSockets && !stops.isAsked)
    await keepIfWanted(error, { instance, ending, sockets, say: log.say })
  sockets.close()
  reaper.stop()
  const startsOver = !stops.isAsked && (wentBack || isBroughtBack || ending.isStartingOver)
  if (!startsOver) return await exitWith(error, log, sink, options)
  await sink.flush(flushLimitMs)
  return bootAgain(env)
}

export const run = async (): Promise<number> => await runDaemon(catchSignals(), environment)
