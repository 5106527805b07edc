import type { ServiceState, TimerEvent } from './service-state.ts'
import type { Milliseconds, Policy } from './unit.ts'

/**
 * The pause before the next start: doubles with each failure up to a limit, less up to a tenth of jitter.
 * `random` is in [0, 1).
 */
export const backoffMs = (failures: number, policy: Policy, random: number): Milliseconds =>
  Math.round(
    Math.min(policy.backoff.maxMs, policy.backoff.baseMs * 2 ** Math.max(0, failures - 1)) *
      (1 - random / 10),
  )

/** When polls are due that are this far apart or more. */
const togetherMs = 5000
/** A timer may be as early as that, or the clock is set. */
const slackMs = 500

/**
 * The pause before the next poll of something that is polled for ever. Polls are due together, each 5 s of
 * the clock, or each second where that is too seldom: each time that the processor wakes costs more than most
 * of them. So the first one may come sooner, and none comes later.
 */
export const pauseToPoll = (nowMs: number, everyMs: Milliseconds): Milliseconds => {
  if (everyMs < 1000) return everyMs
  const gridMs = everyMs < togetherMs ? 1000 : togetherMs
  return Math.floor((nowMs + everyMs + slackMs) / gridMs) * gridMs - nowMs
}

/**
 * The one timer that a state arms. Leaving the state cancels it.
 * A start cannot be late while it may not serve: it waits for others.
 */
export const timerOf = (
  state: ServiceState,
  policy: Policy,
  random: number,
): { readonly event: TimerEvent; readonly afterMs: Milliseconds } | undefined => {
  switch (state.name) {
    case 'starting':
      return policy.startLimitMs === undefined || !state.mayServe
        ? undefined
        : { event: 'startTimedOut', afterMs: policy.startLimitMs }
    case 'ready':
      return state.failures > 0 ? { event: 'stayedUp', afterMs: policy.stableMs } : undefined
    case 'backoff':
      return { event: 'backedOff', afterMs: backoffMs(state.failures, policy, random) }
    case 'stopping':
      return state.isKilled ? undefined : { event: 'graceElapsed', afterMs: policy.graceMs }
    case 'waiting':
    case 'unready':
    case 'stopped':
    case 'failed':
      return undefined
  }
}

/**
 * What the timer belongs to: it is armed again only when this changes.
 * A second stop must not postpone the kill; a shorter grace period brings it forward.
 */
export const timerKeyOf = (state: ServiceState, { graceMs }: Policy): string =>
  [
    state.name,
    state.failures,
    state.name === 'stopping' && `${state.isKilled} ${graceMs}`,
    state.name === 'starting' && state.mayServe,
  ].join(' ')

/** How many probes of a start fail until the pause between them doubles. */
const impatientProbes = 80

/**
 * The pause until the next probe: long after a success, short in a start. A start that takes many seconds is
 * asked less and less: a probe may be a connection, and a refusal a line in somebody's log.
 */
export const probePauseMs = ({ name, failedProbes }: ServiceState): Milliseconds => {
  if (name === 'ready' && failedProbes === 0) return 15_000
  return name === 'starting' ? Math.min(1000, 25 * 2 ** Math.floor(failedProbes / impatientProbes)) : 1000
}
