export type Milliseconds = number

/** waiting → starting → ready ⇄ unready, backoff, stopping, stopped, asleep, failed. */
export const serviceStates = [
  'waiting',
  'starting',
  'ready',
  'unready',
  'backoff',
  'stopping',
  'stopped',
  'asleep',
  'failed',
  'skipped',
] as const
/** A task: waiting → running → done, failed or skipped. */
export const unitStates = [...serviceStates, 'running', 'done'] as const
export type UnitState = (typeof unitStates)[number]

/** An operating system user that a process runs as; `undefined` stands for the supervisor's own. */
export type User = { readonly name: string; readonly uid: number; readonly gid: number }

export type Command = {
  readonly argv: readonly [string, ...string[]]
  readonly env: Readonly<Record<string, string>>
  readonly user?: User | undefined
  readonly cwd?: string
  /**
   * How readily the kernel kills it when memory runs out: see `core/oom.ts`.
   * As the supervisor's own when left out.
   */
  readonly oomScoreAdj?: number
  /** File descriptors of ours that the child gets as 3, 4, … */
  readonly fds?: readonly number[]
  /** It opens /dev/stdout again: then its user has to own the pipe. */
  readonly reopensOutput?: true
}

export type Policy = {
  /**
   * A start that is not ready by then counts as a failure; `undefined` waits for ever:
   * a database may be recovering. The clock starts when the service may serve.
   */
  readonly startLimitMs?: Milliseconds
  /** From the stop signal to SIGKILL for the whole process group. */
  readonly graceMs: Milliseconds
  /**
   * The same when the whole container stops, for which the platform gives little time.
   * `graceMs` when left out.
   */
  readonly shutdownMs?: Milliseconds
  /**
   * How long a generation that was replaced may take to finish what it has begun. `graceMs` when left out.
   */
  readonly retireMs?: Milliseconds
  /** The stable period: after it in `ready` the failure count falls back to zero. */
  readonly stableMs: Milliseconds
  /** Consecutive failures, with no stable period between them, after which the container exits. */
  readonly giveUpAfter: number
  readonly backoff: { readonly baseMs: Milliseconds; readonly maxMs: Milliseconds }
  readonly stopSignal: NodeJS.Signals
  /** What ends it at once without harm. SIGKILL to every process of it when left out. */
  readonly forceStopSignal?: NodeJS.Signals
}
