import { setImmediate as nextTurn } from 'node:timers/promises'
import { levels } from '../core/log-lines.ts'
import type { Status } from '../core/status.ts'
import { Config } from '../daemon/config/config.ts'
import { fallBack, isUnproven, readSetup, type Setup } from '../daemon/config/boot-trial.ts'
import { Ending } from '../daemon/ending.ts'
import { createInstance, type Instance } from '../daemon/instance.ts'
import { Progress } from '../daemon/progress.ts'
import { SupervisorError, toSupervisorError } from '../errors.ts'
import { Sockets } from '../http/sockets.ts'
import { environmentWarnings } from '../settings/configuration.ts'
import { environment } from '../system/environment.ts'
import { openKernel, type Kernel } from '../system/kernel.ts'
import { createLog, type Log } from '../system/log.ts'
import { readPlace } from '../system/machine.ts'
import { imageNode, shim } from '../system/paths.ts'
import type { System } from '../system/ports.ts'
import { createProcesses } from '../system/process.ts'
import { startReaper } from '../system/reaper.ts'
import { catchSignals, type Signals } from '../system/signals.ts'
import { Sink } from '../system/sink.ts'
import { createBase, createSystem } from '../system/system.ts'
import { units, unitsUpTo } from '../units/index.ts'
import type { UnitName } from '../units/unit.ts'
import { keepIfWanted } from './keep.ts'
import { createSetup } from './first-administrator.ts'
import { bannerOf, greet, readStatus, type Running } from './report.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** From the boot's end to the moment when nothing of it goes on. */
const releaseMemoryAfterMs = 5000
const flushLimitMs = 2000

const read = async (
  base: ReturnType<typeof createBase>,
  env: Environment,
): Promise<Setup | SupervisorError> => {
  try {
    return await readSetup(base, readPlace(env), base.lock)
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

/** The last line of a log says why the container exits. */
const exitWith = async (error: SupervisorError | undefined, log: Log, sink: Sink): Promise<number> => {
  if (error) {
    const { code, exitCode, message, hint, faultStack } = error
    if (faultStack !== undefined) log.say('error', faultStack)
    log.say('error', `exit code ${exitCode} (${code}): ${message}\n${hint}`, { code, hint, exitCode })
  }
  await sink.flush(flushLimitMs)
  return error?.exitCode ?? 0
}

const handleSignals = (
  signals: Signals,
  instance: Instance,
  config: Config,
  ending: Ending,
  { log, inBackground }: System,
): void => {
  signals.listen((signal) => {
    switch (signal) {
      case 'SIGHUP':
        log.say('info', 'SIGHUP: reading the configuration again, and a new generation of Mathesar')
        return config.reload()
      case 'SIGUSR2':
        return log.say('info', 'SIGUSR2 does nothing here: `supervisor reload` starts a new generation')
      case 'SIGUSR1':
      case 'SIGTTIN':
      case 'SIGTTOU':
      case 'SIGWINCH':
        return instance.forward(signal)
      case 'SIGPWR':
      case 'SIGTERM':
      case 'SIGINT':
      case 'SIGQUIT':
        ending.exit()
        if (!instance.isStopping) {
          log.say('info', `${signal}: stopping`)
          return inBackground('stop', () => instance.stop())
        }
        if (ending.isKept) return log.say('info', `${signal}: stopping`)
        if (signal === 'SIGPWR') return // It repeats a stop that came while Node started, and never hurries.
        log.say('info', `${signal} again: stopping by force`)
        return instance.forceStop()
    }
  })
  process.on('uncaughtException', (error) => instance.fail(toSupervisorError(error)))
  process.on('unhandledRejection', (reason) => instance.fail(toSupervisorError(reason)))
}

const announceReady = (
  sockets: Sockets,
  status: Status,
  { instance }: Running,
  system: System,
  kernel: Kernel,
): void => {
  const { clock, log, inBackground } = system
  if (instance.inForce.settings.UI_MAY_EDIT_CONFIG)
    inBackground('open the socket for user interfaces', () => sockets.openApp())
  log.say('info', bannerOf(status, instance.inForce))
  clock.after(releaseMemoryAfterMs, () =>
    inBackground('release memory', async () => {
      const { releaseMemory } = await import('../system/memory.ts')
      releaseMemory(kernel) // It takes some 50 ms: once the first visitors are served.
    }),
  )
}

const openSockets = async (sockets: Sockets): Promise<void> => {
  await sockets.openControl()
  await sockets.openPage()
}

const fellBackWarning = ({ message }: SupervisorError): string =>
  `the boot failed with the edited configuration (${message}): starting again with the one before`

/** Starts over in the same process, with the settings that were restored. */
const bootAgain = (env: Environment): never => {
  const [file, ...args] =
    process.execPath === imageNode
      ? [shim, ...process.argv.slice(2)]
      : [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  return process.execve!(file, [file, ...args], env)
}

const startOver = async (env: Environment, sink: Sink): Promise<never> => {
  await sink.flush(flushLimitMs)
  return bootAgain(env)
}

const startProgress = (instance: Instance, { log, clock }: System): Progress => {
  const progress = new Progress({ log, now: clock.now })
  progress.watch(true)
  instance.subscribe(() => progress.watch(!instance.isReady))
  return progress
}

type Options = {
  /** The last unit to bring up; then all is stopped again. */
  readonly until?: UnitName
}

/**
 * The composition root: joins the instance with the system and with HTTP, and runs until all is down.
 * Resolves with the exit code.
 */
export const runDaemon = async (
  signals: Signals,
  env: Environment,
  { until }: Options = {},
): Promise<number> => {
  const kernel = openKernel()
  const sink = new Sink(kernel)
  const base = createBase(kernel)
  const startedAtMs = base.clock.now() - Math.round(process.uptime() * 1000)
  const setup = await read(base, env)
  const log = openLog(sink, env, setup)
  if (setup instanceof SupervisorError) {
    for (const warning of environmentWarnings(env)) log.say('warn', warning)
    return await exitWith(setup, log, sink)
  }
  greet(setup, log)

  if (process.pid !== 1) kernel.becomeSubreaper()
  const processes = createProcesses(kernel)
  const reaper = startReaper(kernel, processes.isOwn)
  const system = createSystem(base, processes, log)
  const instance = createInstance({
    system,
    place: setup.place,
    units: until === undefined ? units : unitsUpTo(until),
    inForce: setup.configuration,
    startedAtMs,
    stopWhenUp: until !== undefined,
    isUnproven: () => isUnproven(setup),
  })
  const ending = new Ending()
  const config = new Config(system, setup, instance, ending)
  const running: Running = { instance, config, startedAtMs, reaper, sink }
  const status = (): Status => readStatus(running)
  const { announce, ...administrator } = createSetup(system, setup.place, instance)
  const sockets = new Sockets(setup.place, system, {
    ...administrator,
    instance,
    config,
    log,
    status,
    isKept: () => ending.isKept,
    progress: startProgress(instance, system),
    memoryOf: system.memoryOf,
    now: system.clock.now,
    after: system.clock.after,
  })
  instance.subscribe((event) => {
    if (event.type !== 'ready') return
    announceReady(sockets, status(), running, system, kernel)
    system.inBackground('see whether Mathesar is set up', announce)
  })
  handleSignals(signals, instance, config, ending, system)
  if (!instance.isStopping) system.inBackground('start', () => instance.start())
  await nextTurn() // The first child is on its way: it need not wait for Node to load HTTP.
  if (until === undefined)
    await openSockets(sockets).catch((error) => instance.fail(toSupervisorError(error)))

  const error = await instance.ended
  await config.close()
  if (!error) log.say('info', 'everything stopped cleanly')
  const wentBack = error && !instance.wasReady && (await fallBack(system, setup, error, system.clock.now()))
  if (wentBack) log.say('warn', fellBackWarning(error))
  else if (error && until === undefined)
    await keepIfWanted(error, { instance, ending, sockets, say: log.say })
  sockets.close()
  reaper.stop()
  return wentBack || ending.isStartingOver ? await startOver(env, sink) : await exitWith(error, log, sink)
}

export const run = async (): Promise<number> => await runDaemon(catchSignals(), environment)
