/**
 * The theory of a service.
 *
 * A service is kept up by processes, each a *generation* with a number. At most one generation is *current*:
 * it is the service, it is probed, and its end is the end of the service. A *candidate* runs beside it, waits
 * at its gate and takes no request. Promotion makes the candidate current in one step;
 * the one before *retires*: it takes no new request and finishes what it has begun.
 *
 *   waiting ─start→ starting ─ready→ ready ⇄ unready
 *                      │ exited, startTimedOut   │ exited
 *                      └──────→ backoff ←────────┘      after `giveUpAfter` failures: failed
 *   ready, unready ─hung→ stopping ─exited→ backoff
 *   any running state ─stop, drain, restart→ stopping ─exited→ stopped, or starting again
 *   any state but stopping ─promoted→ ready: the candidate has proved itself, and is the service now
 *
 * A generation may be spawned before the service may serve (`mayServe`):
 * it imports its code and waits at the gate.
 */
export type GenerationId = number

type Life =
  | { readonly name: 'waiting' | 'starting' | 'ready' | 'unready' | 'backoff' | 'stopped' | 'failed' }
  | {
      readonly name: 'stopping'
      readonly next: 'stopped' | 'starting' | 'backoff'
      readonly isKilled: boolean
    }

type Generations = {
  readonly mayServe: boolean
  readonly current: GenerationId | undefined
  readonly candidate: GenerationId | undefined
  readonly retiring: readonly GenerationId[]
}

export type ServiceState = Life &
  Generations & {
    /** Deaths and late starts in a row, with no stable period between them. */
    readonly failures: number
    /** Failed probes in a row. */
    readonly failedProbes: number
  }

export type TimerEvent = 'startTimedOut' | 'backedOff' | 'stayedUp' | 'graceElapsed'

export type ServiceEvent =
  /**
   * Requests. `drain` stops the current generation alone; `stop` ends all of them;
   * `open` says that the service may serve, and `close` that the next generation must wait for that again.
   */
  | { readonly type: 'start' | 'restart' | 'drain' | 'stop' | 'open' | 'close' | 'spawnFailed' | TimerEvent }
  /**
   * Facts about one generation. `prepared` is a candidate that was spawned; `tried` is one that is never
   * promoted, and as good as retiring.
   */
  | {
      readonly type: 'spawned' | 'prepared' | 'tried' | 'promoted' | 'exited' | 'hung'
      readonly id: GenerationId
    }
  | { readonly type: 'probed'; readonly id: GenerationId; readonly isUp: boolean }

export type Effect =
  | { readonly type: 'spawn' | 'giveUp' }
  | { readonly type: 'probe'; readonly id: GenerationId }
  | GenerationEffect

/** What is done to one process of the service. */
export type GenerationEffect =
  /**
   * `terminate` sends the stop signal to the leader; `retire` to the whole group, with a limit;
   * `finish` is `retire` at a stop.
   */
  | {
      readonly type: 'terminate' | 'kill' | 'killHung' | 'openGate' | 'retire' | 'finish'
      readonly id: GenerationId
    }

/** `mayServe` is true for a service without a gate. */
export const initialState = (mayServe: boolean): ServiceState => ({
  name: 'waiting',
  failures: 0,
  failedProbes: 0,
  mayServe,
  current: undefined,
  candidate: undefined,
  retiring: [],
})

/** Whether it can do its work, as far as is known. */
export const isUp = ({ name }: ServiceState): boolean => name === 'ready' || name === 'unready'

/** Whether any process of the service is left, also one that was replaced. */
export const isRunning = ({ current, candidate, retiring }: ServiceState): boolean =>
  current !== undefined || candidate !== undefined || retiring.length > 0
