import type { Milliseconds, Policy } from './unit.ts'

/**
 * The life of a service: a pure function of state and event.
 *
 *   waiting ─start→ starting ─ready→ ready ⇄ unready
 *                      │ exited, startTimedOut   │ exited
 *                      └──────→ backoff ←────────┘      after `giveUpAfter` failures: failed
 *   any running state ─stop, restart→ stopping ─exited→ stopped, or starting again
 *   any state but stopping ─replaced→ ready: a new generation that has proved itself is the service now
 */
export type ServiceState =
  | { readonly name: 'waiting' | 'stopped' | 'failed'; readonly failures: number }
  | { readonly name: 'starting' | 'ready' | 'unready' | 'backoff'; readonly failures: number }
  | {
      readonly name: 'stopping'
      readonly failures: number
      readonly then: 'stopped' | 'starting' | 'backoff'
      readonly killed: boolean
    }

export type ServiceEvent =
  | 'start'
  | 'ready'
  | 'unready'
  | 'exited'
  | 'startTimedOut'
  | 'backedOff'
  | 'stayedUp'
  | 'stop'
  | 'restart'
  | 'graceElapsed'
  | 'replaced'

export type Effect = 'spawn' | 'terminate' | 'kill' | 'giveUp'

type Step = { readonly state: ServiceState; readonly effects: readonly Effect[] }

export const initialState: ServiceState = { name: 'waiting', failures: 0 }

const stay = (state: ServiceState): Step => ({ state, effects: [] })
const spawn = (failures: number): Step => ({ state: { name: 'starting', failures }, effects: ['spawn'] })
const stopThen = (then: 'stopped' | 'starting' | 'backoff', failures: number): Step => ({
  state: { name: 'stopping', failures, then, killed: false },
  effects: ['terminate'],
})

const failed = (failures: number, policy: Policy): Step =>
  failures >= policy.giveUpAfter
    ? { state: { name: 'failed', failures }, effects: ['giveUp'] }
    : { state: { name: 'backoff', failures }, effects: [] }

/** The next state and what must be done to get there. An event that means nothing in a state leaves it as it is. */
export const nextStep = (state: ServiceState, event: ServiceEvent, policy: Policy): Step => {
  if (event === 'replaced') return stay(state.name === 'stopping' ? state : { name: 'ready', failures: 0 })
  switch (state.name) {
    case 'waiting':
    case 'stopped':
    case 'failed':
      if (event === 'start' || event === 'restart') return spawn(0)
      if (event === 'stop') return stay({ name: 'stopped', failures: state.failures })
      return stay(state)
    case 'starting':
    case 'ready':
    case 'unready':
      switch (event) {
        case 'ready':
          return stay({ name: 'ready', failures: state.failures })
        case 'unready':
          return stay(state.name === 'starting' ? state : { name: 'unready', failures: state.failures })
        case 'stayedUp':
          return stay({ name: state.name, failures: 0 })
        case 'exited':
          return failed(state.failures + 1, policy)
        case 'startTimedOut':
          return state.name === 'starting' ? stopThen('backoff', state.failures + 1) : stay(state)
        case 'stop':
          return stopThen('stopped', state.failures)
        case 'restart':
          return stopThen('starting', 0)
        case 'start':
        case 'backedOff':
        case 'graceElapsed':
          return stay(state)
      }
    case 'backoff':
      if (event === 'backedOff' || event === 'start' || event === 'restart')
        return spawn(event === 'backedOff' ? state.failures : 0)
      if (event === 'stop') return stay({ name: 'stopped', failures: state.failures })
      return stay(state)
    case 'stopping':
      switch (event) {
        case 'exited':
          return state.then === 'starting'
            ? spawn(0)
            : state.then === 'backoff'
              ? failed(state.failures, policy)
              : stay({ name: 'stopped', failures: state.failures })
        case 'graceElapsed':
          return { state: { ...state, killed: true }, effects: ['kill'] }
        case 'stop':
          return stay({ ...state, then: 'stopped' })
        case 'start':
        case 'restart':
          return stay({ ...state, then: 'starting' })
        case 'ready':
        case 'unready':
        case 'startTimedOut':
        case 'backedOff':
        case 'stayedUp':
          return stay(state)
      }
  }
}

/** The pause before start number `failures` + 1: doubles each time, up to a limit, less up to a tenth of jitter. `random` is in [0, 1). */
export const backoffMs = (failures: number, policy: Policy, random: number): Milliseconds =>
  Math.round(
    Math.min(policy.backoff.maxMs, policy.backoff.baseMs * 2 ** Math.max(0, failures - 1)) *
      (1 - random / 10),
  )

/** The one timer that a state arms. Leaving the state cancels it. No start can be late while it may not serve: it waits for others. */
export const timerOf = (
  state: ServiceState,
  policy: Policy,
  { random, mayServe }: { readonly random: number; readonly mayServe: boolean },
): { readonly event: ServiceEvent; readonly afterMs: Milliseconds } | undefined => {
  switch (state.name) {
    case 'starting':
      return policy.startLimitMs === undefined || !mayServe
        ? undefined
        : { event: 'startTimedOut', afterMs: policy.startLimitMs }
    case 'ready':
      return state.failures > 0 ? { event: 'stayedUp', afterMs: policy.stableMs } : undefined
    case 'backoff':
      return { event: 'backedOff', afterMs: backoffMs(state.failures, policy, random) }
    case 'stopping':
      return state.killed ? undefined : { event: 'graceElapsed', afterMs: policy.graceMs }
    case 'waiting':
    case 'unready':
    case 'stopped':
    case 'failed':
      return undefined
  }
}
