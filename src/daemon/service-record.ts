import type { Outcome } from '../core/outcome.ts'
import type { Milliseconds } from '../core/unit.ts'
import type { Clock } from '../system/ports.ts'
import type { Trouble } from './prober.ts'

/** When a unit came into its state. */
export type Since = {
  /** Milliseconds since 1970. */
  readonly since: number
  /** By the clock that nobody sets. */
  readonly sinceElapsedMs: Milliseconds
}

export const sinceNow = ({ now, elapsed }: Pick<Clock, 'now' | 'elapsed'>): Since => ({
  since: now(),
  sinceElapsedMs: elapsed(),
})

/** What has become of a service so far, for the status and the log. */
export type ServiceRecord = Since & {
  /** How often it was started; a start after a rest is not counted. */
  readonly starts: number
  /** How many processes have been the service: a change of settings makes a new one without a start. */
  readonly generation: number
  readonly lastOutcome: Outcome | undefined
  readonly lastProbe: Trouble | undefined
}

export const newRecord = (clock: Clock): ServiceRecord => ({
  ...sinceNow(clock),
  starts: 0,
  generation: 0,
  lastOutcome: undefined,
  lastProbe: undefined,
})

export const restartsOf = ({ starts }: ServiceRecord): number => Math.max(0, starts - 1)
