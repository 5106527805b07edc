import type { Command } from '../../../src/core/unit.ts'
import { createLog } from '../../../src/system/log.ts'
import type { Message } from '../../../src/settings/notify-url.ts'
import type { Child, ProcessLook, Retry, System } from '../../../src/system/ports.ts'
import { loadYaml } from '../../../src/system/yaml.ts'
import { createClock, type FakeClock } from './clock.ts'
import { createFiles, errorWith } from './files.ts'
import { createPostgres } from './postgres.ts'
import { createProcesses } from './processes.ts'

type Program = { readonly unit: string; readonly command: Command }
type ProgramResult = Awaited<ReturnType<System['runProgram']>>
type Get = Parameters<System['httpGet']>

const succeeded: ProgramResult = { outcome: { code: 0, signal: null }, lines: [] }

/** The real log, on a sink that keeps everything. `said` has our own events as "warn text". */
const createFakeLog = () => {
  const said: string[] = []
  let text = ''
  const log = createLog(
    { write: (block) => void (text += block.toString()), behind: undefined, onDropped: () => {} },
    'text',
    'debug',
  )
  const say = (...[level, message, fields]: Parameters<typeof log.say>): void => {
    said.push(`${level} ${message}`)
    log.say(level, message, fields)
  }
  return { log: { ...log, say }, said, text: () => text }
}

/** What the world says to each call. A test sets what it needs. */
const createReplies = () => ({
  /** What a program does. */
  program: async (_program: Program, _signal?: AbortSignal): Promise<ProgramResult> => succeeded,
  listen: (_address: string, _port: number): number => 10,
  lock: (_path: string): boolean => true,
  /** Whether a listening socket was shut. */
  isShut: (): boolean => false,
  mounts: (): ReturnType<System['readMounts']> => new Map(),
  get: async (_signal: AbortSignal): ReturnType<System['httpGet']> => ({ status: 200, location: undefined }),
  /** The status that a request which tells somebody gets. */
  send: async (): Promise<number> => 200,
  /** What a document says. */
  read: async (_url: string): Promise<string> => '[]',
  /** Processes of a Postgres whose postmaster is gone. */
  orphans: (): readonly number[] => [],
  whenWritten: (_path: string, _act: () => void): (() => void) | undefined => undefined,
  lookAt: (_pid: number): ProcessLook | undefined => undefined,
  children: (_pid: number): readonly Child[] | undefined => undefined,
  isProcessIn: (_folder: string, _pid: number): boolean => false,
})

const retryOn =
  (clock: FakeClock): System['retry'] =>
  async <T>(
    act: () => Promise<T>,
    { forMs, signal, isWorthIt = () => true, onFailure }: Retry,
  ): Promise<T> => {
    for (const endMs = clock.now() + forMs; ;) {
      try {
        return await act()
      } catch (error) {
        onFailure?.(error)
        if (!isWorthIt(error) || clock.now() + 250 > endMs) throw error
        await clock.delay(250, signal)
      }
    }
  }

const readConfigFilesOn =
  (disk: System['files']): System['readConfigFiles'] =>
  (folder, names) => ({
    files: Object.fromEntries(names.map((name) => [name, disk.readIfThere(`${folder}/${name}`)])),
    stale: {},
    unusable: {},
  })

/** What was asked of the world, in order. */
const createRecords = () => ({
  programs: [] as Program[],
  signals: [] as string[],
  closed: [] as number[],
  sent: [] as Message[],
  gets: [] as { readonly target: Get[0]; readonly request: Get[1] }[],
  /** Faults of what runs in the background: each is one of ours. */
  failures: [] as unknown[],
})

/** Sockets of the file system, which all have one number. */
const createSockets = (put: (path: string) => void): Pick<System, 'listenUnix' | 'listenUnixAgain'> => ({
  listenUnix: (path) => {
    put(path)
    return 11
  },
  listenUnixAgain: put,
})

/** A whole system of which nothing is real but the log and the parser of YAML. */
export const createFakeSystem = () => {
  const clock = createClock()
  const disk = createFiles()
  const processes = createProcesses()
  const database = createPostgres()
  const { said, text: logText, log } = createFakeLog()
  const replies = createReplies()
  const records = createRecords()
  let texts = 0

  const system: System = {
    clock,
    random: () => 0,
    randomText: (length) => `${++texts}`.padEnd(length, 'r'),
    files: disk.files,
    setOwner: disk.setOwner,
    readMounts: () => replies.mounts(),
    ownNames: () => ['box', '10.0.0.2'],
    lock: (path) => {
      if (!disk.files.isThere(path)) disk.put(path, '')
      return replies.lock(path)
    },
    listenTcp: (address, port) => replies.listen(address, port),
    ...createSockets((path) => disk.put(path, '')),
    isAwaited: () => false,
    isShut: () => replies.isShut(),
    closeSocket: (fd) => void records.closed.push(fd),
    createGate: processes.createGate,
    startProcess: processes.startProcess,
    runProgram: async (unit, command, signal) => {
      records.programs.push({ unit, command })
      return await replies.program({ unit, command }, signal)
    },
    signalProcess: (pid, signal) => void records.signals.push(`${signal} ${pid}`),
    lookAt: (pid) => replies.lookAt(pid),
    childrenOf: (pid) => replies.children(pid),
    isProcessIn: (folder, pid) => replies.isProcessIn(folder, pid),
    orphansNamed: () => replies.orphans(),
    memoryOf: async () => 1024 * 1024,
    withClient: database.withClient,
    addressesOf: async () => ['192.0.2.7'],
    httpGet: async (target, request, signal) => {
      records.gets.push({ target, request })
      return await replies.get(signal)
    },
    countWaiting: () => 0,
    measureSelf: () => ({ cpuSeconds: 0, openFds: 0 }),
    httpSend: async (message) => {
      records.sent.push(message)
      return await replies.send()
    },
    httpRead: (url) => replies.read(url),
    retry: retryOn(clock),
    readConfigFiles: readConfigFilesOn(disk.files),
    watchFiles: () => {
      throw errorWith('ENOSYS')
    },
    whenWritten: (path, act) => replies.whenWritten(path, act),
    loadYaml,
    log,
    inBackground: (_, act) => {
      const run = async (): Promise<void> => await act()
      run().catch((error: unknown) => void records.failures.push(error))
    },
  }
  return { system, clock, disk, processes, database, replies, ...records, said, logText }
}
