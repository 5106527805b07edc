import { closeSync, openSync, readlinkSync } from 'node:fs'
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import { environmentWarnings } from '../settings/configuration.ts'
import { levels } from '../core/log-lines.ts'
import type { Status } from '../core/status.ts'
import { dependenciesOf } from '../core/graph.ts'
import type { startControl } from '../http/control.ts'
import { isTrue } from '../settings/table.ts'
import { secretsOf } from '../settings/secrets.ts'
import { createSupervisor } from '../daemon/instance.ts'
import { SupervisorError, toSupervisorError } from '../errors.ts'
import { files, give } from '../system/files.ts'
import { createGate } from '../system/gate.ts'
import { openKernel } from '../system/kernel.ts'
import { createLog } from '../system/log.ts'
import { withClient } from '../system/postgres.ts'
import { httpGet } from '../system/http.ts'
import { createProcesses, kill, memoryOf } from '../system/process.ts'
import { startReaper } from '../system/reaper.ts'
import { createSink } from '../system/sink.ts'
import { type Context, inRun, type Paths } from '../units/place.ts'
import { units } from '../units/index.ts'
import { version } from '../version.ts'
import { type Configuring, configure } from '../daemon/config/configure.ts'
import { appSocket, controlSocket, imageNode, shim } from '../system/paths.ts'
import { fallBack, readSetup, type Setup } from '../daemon/config/boot-trial.ts'
import type { CaughtSignal, Signals } from '../system/signals.ts'

/** From the boot's end to the moment when nothing of it goes on. */
const settledMs = 5000

const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'

/** The unit and everything that it depends on. */
const upTo = (name: string): typeof units => {
  const wanted = new Set<string>()
  const visit = (unit: string): void => {
    wanted.add(unit)
    dependenciesOf(units.find((other) => other.name === unit)!).forEach(visit)
  }
  visit(name)
  return units.filter((unit) => wanted.has(unit.name))
}

/** Status answers from the first moment on, before anything else is up. */
const openControl = async (
  paths: Paths,
  deps: Parameters<typeof startControl>[1],
): ReturnType<typeof startControl> => {
  const { control } = inRun(paths)
  try {
    files.makeFolder(paths.run, 0o755)
    files.makeFolder(control, 0o700)
  } catch (cause) {
    throw new SupervisorError(
      'VOLUME_NOT_WRITABLE',
      `cannot use ${paths.run} as user ${process.getuid!()}: ${(cause as Error).message}`,
      {
        cause,
        hint: `Give the container a folder for sockets that this user may write: \`--tmpfs ${paths.run}\`.`,
      },
    )
  }
  const { startControl } = await import('../http/control.ts')
  return await startControl(controlSocket(paths), deps)
}

/** The second socket, for a user interface that runs as Mathesar's user: the folder above it lets nobody else in. */
const openAppSocket = async (
  { paths, identities: { supervisor, mathesar } }: Setup,
  deps: Parameters<typeof startControl>[1],
): ReturnType<typeof startControl> => {
  const { startControl } = await import('../http/control.ts')
  const server = await startControl(appSocket(paths), deps, 'config', 0o660)
  if (mathesar) give(appSocket(paths), { ...supervisor, gid: mathesar.gid }, 0o660)
  return server
}

const banner = (status: Status, setup: Setup): string =>
  [
    `Mathesar is ready: ${status.url}   (after ${((status.boot.readyAfterMs ?? 0) / 1000).toFixed(1)} s)`,
    ...(setup.settings.PUBLIC_URL.value === undefined
      ? ['With `docker run -p 9000:8000` the port in your browser is 9000.']
      : []),
    "On a new installation the first visitor makes the administrator's account: open it now.",
  ].join('\n')

/** The composition root of the daemon: joins core, units and system, and runs until all is down. Resolves with the exit code. */
export const runDaemon = async (
  signals: Signals,
  env: Readonly<Record<string, string | undefined>>,
  options: { readonly until?: string } = {},
): Promise<number> => {
  const startedAt = Date.now() - Math.round(process.uptime() * 1000)
  const kernel = openKernel()
  const sink = createSink(kernel)
  let isLocked = false
  const lock: Context['lock'] = (path) => (isLocked ||= kernel.tryLock(openSync(path, 'w', 0o600))) // Once taken it is ours until the end.
  const read = await readSetup(env, lock).then(
    (setup) => ({ setup, error: undefined }),
    (thrown) => ({ setup: undefined, error: toSupervisorError(thrown) }),
  )
  const [format, least] = (['LOG_FORMAT', 'LOG_LEVEL'] as const).map(
    (name) => read.setup?.settings[name].value ?? env[name],
  )
  const log = createLog(
    sink,
    format === 'json' ? 'json' : 'text',
    levels.find((level) => level === least) ?? 'info',
  )
  const leave = async (error: SupervisorError | undefined): Promise<number> => {
    if (error)
      log.say('error', `exit code ${error.exitCode} (${error.code}): ${error.message}\n${error.hint}`, {
        code: error.code,
        hint: error.hint,
        exitCode: error.exitCode,
      })
    await sink.flush(2000)
    return error?.exitCode ?? 0
  }

  for (const warning of read.setup?.configuration.warnings ?? environmentWarnings(env))
    log.say('warn', warning)
  if (read.error) return await leave(read.error)
  const { setup } = read
  log.addSecret(...secretsOf(setup.configuration))

  if (process.pid !== 1) kernel.becomeSubreaper()
  const processes = createProcesses(kernel)
  const reaper = startReaper(kernel, processes.isOwn)
  const outputOf = (unit: string): ReturnType<typeof log.lines> =>
    log.lines(
      unit,
      unit === 'mathesar'
        ? { needle: 'Invalid HTTP_HOST header', found: (line) => config.see(line) }
        : undefined,
    )
  const { say } = log

  const context: Context = {
    ...setup,
    made: {},
    log: say,
    addSecret: log.addSecret,
    detail: (unit, text) => supervisor.detail(unit, text),
    files,
    give,
    lock,
    listenTcp: (address, port) => kernel.listenTcp(address, port, 2048, closeSync),
    randomText: (length) => {
      const { randomInt } = process.getBuiltinModule('node:crypto')
      return Array.from({ length }, () => letters[randomInt(letters.length)]).join('')
    },
    processIn: (folder, pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`) === folder
      } catch {
        return false
      }
    },
    orphans: processes.orphans,
    kill,
    runProgram: async (unit, command, options) => {
      const { outcome, lines } = await processes.run(command, outputOf(unit), options)
      return { outcome, lines: lines.map(log.redact) } // They end in errors that people see.
    },
    withClient,
    httpGet,
    retry: async (act, { forMs, signal, again, onFailure }) => {
      const { default: pRetry } = await import('p-retry')
      return await pRetry(act, {
        retries: Number.POSITIVE_INFINITY,
        minTimeout: 250,
        factor: 1.5,
        maxTimeout: 3000,
        maxRetryTime: forMs,
        signal,
        shouldRetry: ({ error }) => again(error),
        onFailedAttempt: ({ error }) => onFailure(error),
      })
    },
    delay: async (ms, signal) => await delay(ms, undefined, signal && { signal }),
  }

  const supervisor = createSupervisor<Context>({
    units: options.until === undefined ? units : upTo(options.until),
    context,
    service: {
      start: processes.start,
      createGate: () => createGate(kernel.pipe),
      random: Math.random,
      now: Date.now,
      delay: async (ms) => await delay(ms),
      log: say,
      output: outputOf,
      tail: log.tail,
    },
    describe: () => ({
      url: config.url(),
      database: config.database().kind,
      config: config.status(),
      supervisor: {
        version,
        pid: process.pid,
        startedAt: new Date(startedAt).toISOString(),
        memoryBytes: process.memoryUsage.rss(),
        reaped: reaper.reaped,
        droppedLogLines: sink.dropped,
      },
    }),
    memoryOf,
    startedAt,
    stopWhenUp: options.until !== undefined,
    isUnproven: setup.isUnproven,
    problems: () => config.problems(),
    onReady: (status) => {
      config.settle()
      if (isTrue(setup.settings.UI_MAY_EDIT_CONFIG.value))
        void openAppSocket(setup, routes).then((server) => {
          servers.push(server)
        })
      log.say('info', banner(status, setup))
      setTimeout(async () => {
        const { releaseMemory } = await import('../system/memory.ts')
        releaseMemory(kernel) // It takes some 50 ms: once the first visitors are served.
      }, settledMs).unref()
    },
  })
  const config: Configuring = configure({ setup, env, context, supervisor, log })
  for (const warning of setup.store.warnings) say('warn', warning)

  const forwarded: readonly CaughtSignal[] = ['SIGUSR1', 'SIGUSR2', 'SIGTTIN', 'SIGTTOU', 'SIGWINCH']
  signals.listen((signal) => {
    if (forwarded.includes(signal)) return supervisor.signalService('mathesar', signal)
    if (signal === 'SIGHUP') {
      say('info', 'SIGHUP: reading the configuration again, and a new generation of Mathesar')
      return config.reload()
    }
    if (signal === 'SIGPWR' && supervisor.isStopping) return
    say('info', supervisor.isStopping ? `${signal} again: hurrying` : `${signal}: stopping in order`)
    if (supervisor.isStopping) return supervisor.hurry()
    void supervisor.stop()
  })
  process.on('uncaughtException', (error) => supervisor.fail(toSupervisorError(error)))
  process.on('unhandledRejection', (reason) => supervisor.fail(toSupervisorError(reason)))

  say(
    'info',
    `supervisor ${version}, Postgres ${setup.database.kind}, ${Math.round(setup.machine.memoryBytes / 1048576)} MiB, ${setup.machine.cpus} processors, user ${setup.identities.supervisor.uid}`,
  )
  if (setup.rejected)
    say('warn', `${setup.rejected.error.message}; the configuration that was last in force serves`)
  const routes = { supervisor, log, now: Date.now, config: config.routes }
  const servers: Awaited<ReturnType<typeof startControl>>[] = []
  if (!supervisor.isStopping) void supervisor.start()
  await nextTurn() // The first child is on its way: it need not wait for Node to load HTTP.
  if (options.until === undefined)
    await openControl(setup.paths, routes).then(
      (server) => {
        servers.push(server)
      },
      (thrown) => supervisor.fail(toSupervisorError(thrown)),
    )
  const error = await supervisor.ended
  if (!error) say('info', 'everything stopped in order')
  for (const server of servers) server.close().closeAllConnections()
  await config.close()
  reaper.stop()
  if (error && !supervisor.wasReady && (await fallBack(setup, error))) {
    say(
      'warn',
      `the boot failed with the edited configuration (${error.message}): starting again with the one before`,
    )
    await sink.flush(2000)
    const again =
      process.execPath === imageNode
        ? [shim, ...process.argv.slice(2)]
        : [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
    process.execve!(again[0]!, again, env as NodeJS.ProcessEnv)
  }
  return await leave(error)
}
