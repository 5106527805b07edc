import type { ClientConfig, QueryResultRow } from 'pg'
import type { Level } from '../core/log-lines.ts'
import type { Outcome } from '../core/outcome.ts'
import type { Seen } from '../core/settling.ts'
import type { Command, User } from '../core/unit.ts'
import type { Message } from '../settings/notify-url.ts'
import type { ParseYaml } from '../settings/yaml-files.ts'
import type { Files } from './files.ts'
import type { Gate } from './gate.ts'
import type { Log } from './log.ts'
import type { Mount } from './mounts.ts'
import type { Output } from './output.ts'
import type { RunningProcess } from './process.ts'
import type { Watch, WatchOptions } from './watch.ts'

/** Time. Nothing outside of `system/clock.ts` asks for it or waits by itself: a simulation gives its own. */
export type Clock = {
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Milliseconds since this process started, whatever the clock is set to meanwhile. */
  readonly elapsed: () => number
  /** Resolves after `ms`; rejects with the reason of `signal` when that aborts. */
  readonly delay: (ms: number, signal?: AbortSignal) => Promise<void>
  /**
   * Calls `act` after `ms`, unless the function that it returns is called before. It keeps no process alive.
   */
  readonly after: (ms: number, act: () => void) => () => void
}

/** Where an HTTP server listens. */
export type HttpTarget = { readonly host: string; readonly port: number } | { readonly socketPath: string }

/** A process at one moment. States are the letters of proc_pid_stat(5). */
export type ProcessLook = {
  readonly state: string
  /** How often it has gone to sleep by itself. */
  readonly sleeps: number
  /** The states of its children, each looked up as it is asked for. */
  readonly children: Iterable<string>
}

/** `title` is what it shows as its command line. */
export type Child = { readonly pid: number; readonly title: string }

export type Answer = { readonly status: number; readonly location: string | undefined }

export type Retry = {
  readonly forMs: number
  readonly signal?: AbortSignal
  /** Whether another try may help; it always may when left out. */
  readonly isWorthIt?: (error: unknown) => boolean
  /** Is told of each failure, the last one too. */
  readonly onFailure?: ((error: unknown) => void) | undefined
}

export type ProgramResult = {
  readonly outcome: Outcome
  /** The last lines that it wrote, without secrets. */
  readonly lines: readonly string[]
}

/** What a unit may do with a connection to Postgres. The client of pg is one. */
export type Client = {
  readonly query: <Row extends QueryResultRow>(
    text: string,
    values?: unknown[],
  ) => Promise<{ readonly rows: Row[]; readonly rowCount: number | null }>
}

/** Everything that acts on the world. One type, so that a simulation can take its place. */
export type System = {
  readonly clock: Clock
  /** A number in [0, 1). */
  readonly random: () => number
  /** Letters and digits, or some of the given letters, that nobody can guess. */
  readonly randomText: (length: number, letters?: string) => string
  readonly files: Files
  /** Gives a file or folder to a user (`undefined`: whoever has it) with a mode, unless it is so already. */
  readonly setOwner: (path: string, user: Pick<User, 'uid' | 'gid'> | undefined, mode: number) => void
  /** What is mounted, by its point. Empty where nobody can tell. */
  readonly readMounts: () => ReadonlyMap<string, Mount>
  /**
   * Takes the lock of a file for the life of this process; false when another process has it. The file is
   * made unless it is only to be read, as on a volume that is mounted read-only.
   */
  readonly lock: (path: string, how?: 'read' | 'write') => boolean
  /** The name of this machine and the addresses of its networks. */
  readonly ownNames: () => readonly string[]
  /** A listening TCP socket, as a descriptor. Throws an error with `code`, such as EADDRINUSE. */
  readonly listenTcp: (address: string, port: number) => number
  /** The same on a path of the file system, where nothing may be yet. */
  readonly listenUnix: (path: string) => number
  /** The same with the number of one that was shut. */
  readonly listenUnixAgain: (path: string, fd: number) => void
  /** Whether a child has shut it down (shutdown(2)): nobody can connect to it any more, now or ever. */
  readonly isShut: (fd: number) => boolean
  /** Whether a connection waits in a listening socket. */
  readonly isAwaited: (fd: number) => boolean
  /** Lets go of a listening socket. Once its children have, too, connections are refused. */
  readonly closeSocket: (fd: number) => void
  readonly createGate: () => Gate
  readonly startProcess: (command: Command, output: Output) => RunningProcess
  /**
   * Runs a program to its end, with its output in the log under the unit's name; an aborted `signal` kills
   * its whole group.
   */
  readonly runProgram: (unit: string, command: Command, signal?: AbortSignal) => Promise<ProgramResult>
  /** Signals a process unless it is gone. */
  readonly signalProcess: (pid: number, signal: NodeJS.Signals) => void
  /** `undefined` when it is gone. */
  readonly lookAt: (pid: number) => ProcessLook | undefined
  /** `undefined` when the process is gone, and where nobody can tell. */
  readonly childrenOf: (pid: number) => readonly Child[] | undefined
  /** Whether a process runs in the folder. */
  readonly isProcessIn: (folder: string, pid: number) => boolean
  /** Processes of this name that came to us when their parent, which was ours, ended. */
  readonly orphansNamed: (name: string) => readonly number[]
  /** Memory of a process and all below it in bytes; `null` when it is gone. Shared pages count once. */
  readonly memoryOf: (pid: number) => Promise<number | null>
  /** How many connections wait in a socket that listens. */
  readonly countWaiting: (target: HttpTarget) => number
  /** What this process has used so far. */
  readonly measureSelf: () => { readonly cpuSeconds: number; readonly openFds: number }
  /** Connects to Postgres by the first of the ways that works, hands the connection over and closes it. */
  readonly withClient: <T>(ways: readonly ClientConfig[], use: (client: Client) => Promise<T>) => Promise<T>
  /** The addresses of a name; none when nobody tells within 2 s. */
  readonly addressesOf: (host: string) => Promise<readonly string[]>
  readonly httpGet: (
    target: HttpTarget,
    request: { readonly path: string; readonly hostHeader: string; readonly timeoutMs: number },
    signal: AbortSignal,
  ) => Promise<Answer>
  /** Sends a request, and resolves with the status of its answer, of which nothing more is read. */
  readonly httpSend: (message: Message, timeoutMs: number, signal: AbortSignal) => Promise<number>
  /**
   * The body of an answer with status 200, in full. Rejects when it is larger or is not there in time.
   * Follows no redirect.
   */
  readonly httpRead: (
    url: string,
    limits: { readonly timeoutMs: number; readonly limitBytes: number },
    signal: AbortSignal,
  ) => Promise<string>
  /** Tries again and again, with growing pauses. */
  readonly retry: <T>(act: () => Promise<T>, options: Retry) => Promise<T>
  /** Reads files of a folder at this moment. Throws on one that cannot be used. */
  readonly readConfigFiles: (folder: string, names: readonly string[]) => Seen
  readonly watchFiles: (options: WatchOptions) => Watch
  /**
   * Calls `act` soon after each write to the file that is there now. Returns what ends that; `undefined`
   * where nobody would tell.
   */
  readonly whenWritten: (path: string, act: () => void) => (() => void) | undefined
  /** Loads the parser of YAML: it costs a boot 10 ms, and most have no such file. */
  readonly loadYaml: () => Promise<ParseYaml>
  readonly log: Log
  /** Runs what nobody waits for: a failure is logged, and ends nothing. */
  readonly inBackground: (what: string, act: () => Promise<void> | void) => void
}

/** Something that is written in pieces, and is there once it is finished. */
export type Upload = {
  readonly write: (chunk: Buffer) => Promise<void>
  readonly finish: () => Promise<void>
  /** Leaves nothing of it behind, as far as that is possible. Never rejects. */
  readonly abort: () => Promise<void>
}

type HttpRequest = {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Buffer
  readonly timeoutMs: number
}

export type HttpAnswer = {
  readonly status: number
  /** By their names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  /** It must be read, or ended before its end. */
  readonly body: AsyncIterable<Buffer>
}

/** What long operations need beside it: bytes that pass through, however many there are. */
export type Streams = {
  /**
   * Runs a program on `input`; yields what it writes, and returns how it ended, with the last lines of its
   * standard error. Each chunk is overwritten once the next one is asked for. Whoever stops reading kills its
   * whole group.
   */
  readonly streamProgram: (
    command: Command,
    input?: AsyncIterable<Buffer>,
  ) => AsyncGenerator<Buffer, ProgramResult>
  readonly readStream: (path: string) => AsyncIterable<Buffer>
  /** The same into one block: each chunk but the last fills it, and is overwritten by the next one. */
  readonly readBlocks: (path: string, block: Buffer) => AsyncIterable<Buffer>
  /** Bytes of a file. Throws when it is not there. */
  readonly sizeOf: (path: string) => number
  /** Begins a file that will be whole or absent, with mode 0600, also after a crash. */
  readonly createFile: (path: string) => Promise<Upload>
  /** Trusts a certificate (PEM) beside those of the public authorities. Throws on a bad one. */
  readonly trust: (pem: string) => void
  /** One request. Rejects where no answer begins in time; one of any status is an answer. */
  readonly request: (request: HttpRequest) => Promise<HttpAnswer>
  /** The age format (age-encryption.org/v1). */
  readonly encrypt: (bytes: AsyncIterable<Buffer>, to: Lock) => AsyncIterable<Buffer>
  readonly decrypt: (bytes: AsyncIterable<Buffer>, by: Lock) => AsyncIterable<Buffer>
}

/** What opens an encrypted archive, or for whom it is encrypted: one passphrase, or keys of age. */
export type Lock = { readonly passphrase: string } | { readonly keys: readonly string[] }

export type Say = (level: Level, message: string) => void
