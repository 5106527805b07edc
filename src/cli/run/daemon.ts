import { setImmediate as nextTurn } from 'node:timers/promises'
import { fallBack, type Setup } from '../../daemon/config/boot-trial.ts'
import { SupervisorError, toSupervisorError } from '../../errors.ts'
import { environmentWarnings } from '../../settings/configuration.ts'
import { openKernel } from '../../system/kernel.ts'
import type { Log } from '../../system/log.ts'
import type { Signals } from '../../system/signals.ts'
import { Sink } from '../../system/sink.ts'
import { createBase } from '../../system/system.ts'
import { bootAgain, type Environment } from './boot-again.ts'
import { bringBack } from './bring-back.ts'
import { compose, type Daemon } from './compose.ts'
import { keepIfWanted } from './failure-page.ts'
import { findSetup, openLog } from './found.ts'
import { greet } from './greet.ts'
import type { Brought, Until } from './instance.ts'
import { handleSignals } from './signals.ts'

const flushLimitMs = 2000

type Options = {
  /** Without it, everything is brought up, and serves. */
  readonly until?: Until
  /** Is told why the exit code is not 0. */
  readonly onFailure?: (error: SupervisorError) => void
  /** Where the log goes: elsewhere than to 1 where that has something else. */
  readonly logTo?: number
  /** The level of the log holds for services, too. */
  readonly isQuiet?: boolean
}

/** The same, and whether it was done. */
const noteDone = (until: Until) => {
  let isDone = false
  const act = async (brought: Brought): Promise<void> => {
    await until.act(brought)
    isDone = true
  }
  return { ...until, act, isDone: () => isDone }
}

const cutOff = ({ whenCutOff }: Until): SupervisorError =>
  new SupervisorError(whenCutOff, 'cannot go on: it was asked to stop', { hint: 'Type the same again.' })

/** Nobody has to stop a container that can do what is wanted of its volume. */
const advise = (error: SupervisorError | undefined, hint: string | undefined): SupervisorError | undefined =>
  error?.code === 'VOLUME_IN_USE' && hint !== undefined
    ? new SupervisorError(error.code, error.message, { cause: error, hint })
    : error

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

/** Brings everything up, and waits for its end: that of the instance, or that another run has the volume. */
const runToEnd = async ({ system, instance, keepers, sockets, lost }: Daemon, isServer: boolean) => {
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
const canBootAgain = async (error: SupervisorError, setup: Setup, daemon: Daemon): Promise<boolean> => {
  const { system } = daemon
  const wentBack = await fallBack(system, setup, error, system.clock.now())
  if (!wentBack) return await bringBack(error, daemon)
  const why = `the boot failed with the edited configuration (${error.message})`
  system.log.say('warn', `${why}: starting again with the one before`)
  return true
}

/** Once a server is down with an error: whether it boots again. One that does not may stay for the page. */
const recover = async (error: SupervisorError, setup: Setup, daemon: Daemon): Promise<boolean> => {
  const { instance, stops, ending } = daemon
  if (stops.isAsked || ending.isStartingOver) return false
  if (!instance.wasReady && (await canBootAgain(error, setup, daemon))) return true
  if (!stops.isAsked) await keepIfWanted(error, daemon)
  return false
}

/** Runs until all is down. Resolves with the exit code. `compose.ts` has what runs. */
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
  const setup = await findSetup(base, env)
  const log = openLog(sink, env, setup, options.isQuiet ?? false)
  if (setup instanceof SupervisorError) {
    for (const warning of environmentWarnings(env)) log.say('warn', warning)
    return await exitWith(setup, log, sink, options)
  }
  greet(setup, log)
  if (process.pid !== 1) kernel.becomeSubreaper()
  const until = options.until && noteDone(options.until)
  const daemon = compose({ setup, kernel, base, log, sink, startedAtMs }, until)
  handleSignals(signals, daemon)

  const isServer = until === undefined
  const end = await runToEnd(daemon, isServer)
  // A stop in order would write to the volume that another run has now. All ends with this process.
  if (end.isLost) return await exitWith(end.error, log, sink, options)
  const ended = end.error ?? (until?.isDone() === false ? cutOff(until) : undefined)
  const error = advise(ended, until?.whenInUse)
  const { keepers, config, sockets, reaper, stops, ending } = daemon
  await keepers.stop()
  if (!error) log.say('info', 'everything stopped cleanly')
  await config.close()

  const bootsAgain = error !== undefined && isServer && (await recover(error, setup, daemon))
  sockets.close()
  reaper.stop()
  const startsOver = !stops.isAsked && (bootsAgain || ending.isStartingOver)
  if (!startsOver) return await exitWith(error, log, sink, options)
  await sink.flush(flushLimitMs)
  return bootAgain(env)
}
