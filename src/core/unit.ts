/** What the image runs, as types. A unit is a task (runs once, idempotent) or a service (stays up). */
export type Milliseconds = number

/** Task: waiting → running → done | failed. Service: waiting → starting → ready ⇄ unready, backoff, stopping, stopped, failed. */
export type UnitState =
  | 'waiting'
  | 'running'
  | 'done'
  | 'skipped'
  | 'starting'
  | 'ready'
  | 'unready'
  | 'backoff'
  | 'stopping'
  | 'stopped'
  | 'failed'

/** An operating system user that a process runs as; `undefined` stands for the supervisor's own. */
export type User = { readonly name: string; readonly uid: number; readonly gid: number }

export type Command = {
  readonly argv: readonly [string, ...string[]]
  readonly env: Readonly<Record<string, string>>
  readonly user?: User | undefined
  readonly cwd?: string
  /** File descriptors of ours that the child gets as 3, 4, … */
  readonly fds?: readonly number[]
}

export type Policy = {
  /** A start that is not ready by then counts as a failure; `undefined` waits for ever (a database may be recovering). Runs from when it may serve. */
  readonly startLimitMs?: Milliseconds
  /** From the stop signal to SIGKILL for the whole process group. */
  readonly graceMs: Milliseconds
  /** The same when the whole container stops, for which the platform gives little time; `graceMs` when left out. */
  readonly shutdownMs?: Milliseconds
  /** So long a generation that was replaced may finish what it has begun. */
  readonly retireMs?: Milliseconds
  /** After that long in `ready` the failure count falls back to zero. */
  readonly stableMs: Milliseconds
  /** So many failures without a stable time between them end the container. */
  readonly giveUpAfter: number
  readonly backoff: { readonly baseMs: Milliseconds; readonly maxMs: Milliseconds }
  readonly stopSignal: NodeJS.Signals
}

type UnitBase<Context> = {
  readonly name: string
  /** Units that must be done or ready before this one starts. */
  readonly needs: readonly string[]
  /** One sentence for status and docs. */
  readonly does: string
  /** Why the unit is left out with these settings, if it is. */
  readonly skip?: (context: Context) => string | undefined
}

export type TaskUnit<Context> = UnitBase<Context> & {
  readonly kind: 'task'
  readonly run: (context: Context, signal: AbortSignal) => Promise<void>
}

export type ServiceUnit<Context> = UnitBase<Context> & {
  readonly kind: 'service'
  /**
   * Units that must be done before the service may serve; it starts, and imports its code, meanwhile. After its own `fds` it gets
   * two more, the gate: on the first it reads `?`, a wish to check itself, and the end of file, which opens the gate; on the
   * second it answers each wish with a line.
   */
  readonly servesAfter?: readonly string[]
  readonly policy: (context: Context) => Policy
  readonly command: (context: Context) => Promise<Command>
  /** One readiness probe; resolves to `undefined` when ready, else to the reason. */
  readonly probe: (context: Context, signal: AbortSignal) => Promise<string | undefined>
  /** What the line with which it answers `?` means: `undefined` when it is fit to serve, else the reason. */
  readonly readCheck?: (answer: string) => string | undefined
  /** Once its last process is gone: why what it keeps is not as an ordered end leaves it; `undefined` when it is. */
  readonly whyUnclean?: (context: Context) => string | undefined
}

export type Unit<Context> = TaskUnit<Context> | ServiceUnit<Context>
