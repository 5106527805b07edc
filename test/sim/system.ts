import type { Retry, System } from '../../src/system/ports.ts'
import { loadYaml } from '../../src/system/yaml.ts'
import { SidePostgres } from './beside.ts'
import { createWithClient } from './clients.ts'
import { Dead } from './dead.ts'
import { Door } from './door.ts'
import { SimulatedGate } from './gate.ts'
import { createSimulatedLog } from './log.ts'
import { Mathesar } from './mathesar.ts'
import { Postgres } from './postgres.ts'
import { runProgram } from './programs.ts'
import type { Actor } from './actor.ts'
import { SimulatedWatch } from './watch.ts'

const parse = await loadYaml()
const parsed = new Map<string, unknown>()

/** The texts are few, and the parser takes as long as a boot. What it refuses is parsed again. */
const parseYaml: typeof parse = (text) => {
  if (!parsed.has(text)) parsed.set(text, parse(text))
  return parsed.get(text)
}

/** As p-retry does with the options of `system/system.ts`. */
const createRetry =
  ({ clock }: Pick<System, 'clock'>): System['retry'] =>
  async (act, { forMs, signal, isWorthIt = () => true, onFailure }: Retry) => {
    const endMs = clock.now() + forMs
    for (let pauseMs = 250; ; pauseMs = Math.min(3000, pauseMs * 1.5)) {
      signal?.throwIfAborted()
      try {
        return await act()
      } catch (error) {
        signal?.throwIfAborted()
        onFailure?.(error)
        const leftMs = endMs - clock.now()
        if (leftMs <= 0 || !isWorthIt(error)) throw error
        await clock.delay(Math.min(pauseMs, leftMs), signal).catch(() => signal?.throwIfAborted())
      }
    }
  }

/** What acts on processes. */
const createProcessPorts = (
  supervisor: Actor,
  log: System['log'],
): Pick<
  System,
  | 'startProcess'
  | 'runProgram'
  | 'signalProcess'
  | 'lookAt'
  | 'childrenOf'
  | 'isProcessIn'
  | 'orphansNamed'
  | 'memoryOf'
  | 'createGate'
> => {
  const { container, world } = supervisor
  const { processes } = container
  return {
    startProcess: (command, output) => {
      supervisor.call()
      world.oracle.checkText('an argv', command.argv.join(' '))
      const parent = supervisor.asParent(output)
      const [, socket] = /^unix_socket_directories=(.*)$/m.exec(command.argv.join('\n')) ?? []
      const folder = command.argv[command.argv.indexOf('-D') + 1]
      if (command.cwd === '/' && socket !== undefined && folder !== undefined)
        return new SidePostgres(container, folder, socket, parent).asRunning()
      if (command.argv[0].endsWith('/postgres'))
        return new Postgres(container, command.cwd ?? '/', parent).asRunning()
      if (command.argv[0].endsWith('/nginx'))
        return new Door(container, command.cwd ?? '/', parent).asRunning()
      const gate = supervisor.gates.find(({ fds: [first] }) => command.fds?.includes(first))
      return new Mathesar(container, command.env, gate, parent).asRunning()
    },
    runProgram: async (unit, command, signal) => {
      supervisor.call()
      world.oracle.checkText('an argv', command.argv.join(' '))
      const parent = supervisor.asParent(log.lines(unit))
      const { outcome, lines } = await runProgram(container, command, parent, signal)
      return { outcome, lines: lines.map(log.redact) }
    },
    signalProcess: (pid, signal) => {
      supervisor.call()
      processes.find(pid)?.signal(signal)
    },
    lookAt: (pid) => {
      supervisor.call()
      const state = processes.find(pid) ? 'S' : undefined
      return state && { state, sleeps: world.timeline.nowMs, children: [] }
    },
    childrenOf: (pid) => {
      supervisor.call()
      const process = processes.find(pid)
      return process instanceof Door ? process.workers : undefined
    },
    isProcessIn: (folder, pid) => {
      supervisor.call()
      return processes.find(pid)?.folder === folder
    },
    orphansNamed: (name) => {
      supervisor.call()
      const isOrphan = (folder: string): boolean => folder.endsWith('/backend')
      return processes.living.filter((one) => one.name === name && isOrphan(one.folder)).map(({ pid }) => pid)
    },
    memoryOf: async (pid) => (processes.find(pid) ? 1_000_000 : null),
    createGate: () => {
      supervisor.call()
      const gate = new SimulatedGate(world, container.nextFds())
      supervisor.gates.push(gate)
      return gate.asGate()
    },
  }
}

const createWatchPorts = (supervisor: Actor): Pick<System, 'watchFiles' | 'whenWritten'> => ({
  watchFiles: (options) => {
    const watch = new SimulatedWatch(supervisor, options)
    supervisor.watches.add(watch)
    return watch.asWatch()
  },
  whenWritten: (path, act) => {
    supervisor.call()
    return supervisor.container.diskOf(path).watch((changed) => {
      if (changed !== path) return
      supervisor.world.timeline.after(1, () => {
        if (supervisor.isAlive) act()
      })
    })
  },
})

/** Everything that acts on the world, for one supervisor. */
export const createSimulatedSystem = (supervisor: Actor): System => {
  const { container, world, files, clock } = supervisor
  const log = createSimulatedLog(supervisor)
  // Of a server and of the way to it: it is no timer of the supervisor.
  const wait = (usualMs: number): Promise<void> =>
    new Promise((resolve) => {
      world.timeline.after(world.random.latency(usualMs), () => {
        if (supervisor.isAlive) resolve()
      })
    })
  return {
    clock,
    files: files.asFiles(),
    log,
    ...createProcessPorts(supervisor, log),
    random: () => world.random.next(),
    // What is shorter names a folder or a mark.
    randomText: (length) => {
      const text = world.random.text(length)
      return length < 20 ? text : world.oracle.addSecret(text)
    },
    setOwner: (path, user) => files.setOwner(path, user),
    readMounts: () => new Map(),
    ownNames: () => ['box', '10.0.0.2'],
    lock: (path) => supervisor.lock(path),
    listenTcp: (_, port) => {
      supervisor.call()
      return container.listen(port)
    },
    listenUnix: (path) => {
      supervisor.call()
      container.diskOf(path).write(path, 'a socket')
      return container.nextFds()
    },
    isAwaited: () => false,
    isShut: () => false,
    listenUnixAgain: () => {},
    closeSocket: () => supervisor.call(),
    withClient: createWithClient(supervisor, wait),
    addressesOf: async () => [],
    httpGet: (target, { timeoutMs }, signal) => {
      supervisor.call()
      if ('port' in target) return container.askDoor(clock, timeoutMs, signal)
      return container.getPage(clock, timeoutMs, signal)
    },
    httpSend: async () => 200,
    httpRead: async () => '[]',
    countWaiting: () => 0,
    measureSelf: () => ({ cpuSeconds: 0, openFds: 0 }),
    retry: createRetry({ clock }),
    readConfigFiles: (folder, names) => files.readConfigFiles(folder, names),
    ...createWatchPorts(supervisor),
    loadYaml: async () => parseYaml,
    inBackground: (what, act) => {
      const run = async (): Promise<void> => await act()
      run().catch((error: Error) => {
        if (error instanceof Dead || !supervisor.isAlive) return
        log.say('error', `cannot ${what}: ${error.message}`)
        world.violate('internal', `cannot ${what}: ${error.stack ?? error.message}`)
      })
    },
  }
}
