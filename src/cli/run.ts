import { setImmediate as nextTurn } from 'node:timers/promises'
import { levels } from '../core/log-lines.ts'
import type { Status } from '../core/status.ts'
import { Backups } from '../daemon/backups.ts'
import { Certificates } from '../daemon/certificates.ts'
import { Config } from '../daemon/config/config.ts'
import { fallBack, isUnproven, readSetup, type Setup } from '../daemon/config/boot-trial.ts'
import { Ending } from '../daemon/ending.ts'
import { startHolding } from '../daemon/holding.ts'
import { createInstance, type Instance } from '../daemon/instance.ts'
import { Updates } from '../daemon/updates.ts'
import { StopRequests } from '../daemon/stop-requests.ts'
import { startProgress } from '../daemon/progress.ts'
import { SupervisorError, toSupervisorError } from '../errors.ts'
import { Sockets } from '../http/sockets.ts'
import { environmentWarnings, type InForce } from '../settings/configuration.ts'
import { environment } from '../system/environment.ts'
import { openKernel, type Kernel } from '../system/kernel.ts'
import { createLog, type Log } from '../system/log.ts'
import { readPlace } from '../system/machine.ts'
import type { Streams, System } from '../system/ports.ts'
import { createProcesses } from '../system/process.ts'
import { startReaper } from '../system/reaper.ts'
import { catchSignals, type Signals } from '../system/signals.ts'
import { Sink } from '../system/sink.ts'
import { createStreams } from '../system/streams.ts'
import { createBase, createSystem } from '../system/system.ts'
import { requireUnheld } from '../units/holder.ts'
import { units, unitsUpTo } from '../units/index.ts'
import type { Place } from '../units/place.ts'
import { resumeSwap } from '../units/swap.ts'
import type { Results } from '../units/results.ts'
import type { UnitName } from '../units/unit.ts'
import { keepIfWanted } from './keep.ts'
import { bringBack } from './bring-back.ts'
import { bootAgain, type Environment, ownProgram } from './boot-again.ts'
import { BackupCommands } from './backup-commands.ts'
import { VolumeRestores } from './volume-restores.ts'
import { createEntrance } from './entrance.ts'
import { handleSignals } from './signals.ts'
import { createSetup } from './first-administrator.ts'
import { greet } from './greet.ts'
import { readMeasures } from './measures.ts'
import { createNotifier } from './notify.ts'
import { announceReady } from './ready.ts'
import { readStatus, type Running } from './report.ts'

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

/** What an operation on a volume is given that no supervisor runs on. */
export type Brought = {
  readonly system: System & Streams
  readonly place: Place
  readonly inForce: InForce
  /** What the tasks up to that unit have left. */
  readonly results: Partial<Results>
}

type Options = {
  /** The last unit to bring up, and what is done then, before all is stopped again. */
  readonly until?: { readonly unit: UnitName; readonly act: (brought: Brought) => Promise<void> }
  /** Is told why the exit code is not 0. */
  readonly onFailure?: (error: SupervisorError) => void
  /** Where the log goes: elsewhere than to 1 where that has something else. */
  readonly logTo?: number
}

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

type Found = {
  readonly setup: Setup
  readonly kernel: Kernel
  readonly base: ReturnType<typeof createBase>
  readonly log: Log
  readonly sink: Sink
  readonly startedAtMs: number
}

/** Joins the instance with the system and with HTTP. */
const assemble = ({ setup, kernel, base, log, sink, startedAtMs }: Found, { until }: Options) => {
  const processes = createProcesses(kernel)
  const reaper = startReaper(kernel, processes.isOwn)
  const system = { ...createSystem(base, processes, log), ...createStreams({ own: processes.own, kernel }) }
  const { place, configuration: inForce } = setup
  const instance: Instance = createInstance({
    system,
    place,
    units: until === undefined ? units : unitsUpTo(until.unit),
    inForce,
    startedAtMs,
    ...(until === undefined
      ? {}
      : { whenUp: () => until.act({ system, place, inForce, results: instance.results }) }),
    isUnproven: () => isUnproven(setup),
  })
  const ending = new Ending()
  const config = new Config(system, setup, instance, ending)
  const certificates = new Certificates(system, instance, config.changes)
  const backups = new Backups({ system, place, instance, program: ownProgram() })
  const updates = new Updates({ system, place, instance })
  const running: Running = { instance, config, certificates, backups, updates, startedAtMs, reaper, sink }
  const status = (): Status => readStatus(running)
  const notifier = until === undefined ? createNotifier(running, system) : undefined
  const startOver = (): void => {
    ending.startOver()
    system.inBackground('stop', () => instance.stop())
  }
  const { announce, ...administrator } = createSetup(system, setup.place, instance)
  const sockets = new Sockets(setup.place, system, {
    ...administrator,
    ...createEntrance(system, instance),
    archives: new BackupCommands(system, () => instance.inForce.database.kind === 'external'),
    restoring: new VolumeRestores({ system, paths: place.paths, startOver }),
    instance,
    config,
    log,
    status,
    measures: () => readMeasures(running, system, place),
    backups,
    isKept: () => ending.isKept,
    progress: startProgress(instance, system),
  })
  instance.subscribe((event) => {
    if (event.type !== 'ready') return
    announceReady(sockets, status(), running, system, kernel)
    if (until === undefined) {
      backups.start()
      updates.start()
    }
    system.inBackground('see whether Mathesar is set up', announce)
  })
  const lost = Promise.withResolvers<SupervisorError>()
  const results = (): Partial<Results> => instance.results
  const stopHolding = startHolding({ system, place, resultsOf: results, onLost: lost.resolve })
  return {
    system,
    instance,
    config,
    certificates,
    updates,
    ending,
    sockets,
    reaper,
    notifier,
    stopHolding,
    lost: lost.promise,
  }
}

/** The composition root: runs until all is down. Resolves with the exit code. */
export const runDaemon = async (
  signals: Signals,
  env: Environment,
  options: Options = {},
): Promise<number> => {
  const kernel = openKernel()
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
  const parts = assemble({ setup, kernel, base, log, sink, startedAtMs }, options)
  const { system, instance, config, certificates, updates, ending, sockets, reaper, notifier } = parts
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
  const error = ended
  stopHolding()
  await notifier?.finish(flushLimitMs)
  if (!error) log.say('info', 'everything stopped cleanly')
  certificates.close()
  updates.close()
  await config.close()
  const mayBootAgain = hasSockets && !instance.wasReady && !stops.isAsked
  const wentBack = error && mayBootAgain && (await fallBack(system, setup, error, system.clock.now()))
  const openPort = async (): Promise<void> => {
    if (instance.results.listener) await sockets.openPort(instance.results.listener)
  }
  const isBroughtBack =
    error && mayBootAgain && (await bringBack(error, { system, place: setup.place, instance, openPort }))
  if (wentBack) log.say('warn', fellBackText(error))
  else if (!isBroughtBack && error && hasSockets && !stops.isAsked)
    await keepIfWanted(error, { instance, ending, sockets, say: log.say })
  sockets.close()
  reaper.stop()
  const startsOver = wentBack || isBroughtBack || (ending.isStartingOver && !stops.isAsked)
  if (!startsOver) return await exitWith(error, log, sink, options)
  await sink.flush(flushLimitMs)
  return bootAgain(env)
}

export const run = async (): Promise<number> => await runDaemon(catchSignals(), environment)
