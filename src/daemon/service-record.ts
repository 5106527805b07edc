import type { Outcome } from '../core/outcome.ts'
import type { Trouble } from './prober.ts'

/** What has become of a service so far, for the status and the log. */
export type ServiceRecord = {
  /** When it came into its state; milliseconds since 1970. */
  readonly since: number
  /** How often it was started; a start after a rest is not counted. */
  readonly starts: number
  /** How many processes have been the service: a change of settings makes a new one without a start. */
  readonly generation: number
  readonly lastOutcome: Outcome | undefined
  readonly lastProbe: Trouble | undefined
}

export const newRecord = (since: number): ServiceRecord => ({
  since,
  starts: 0,
  generation: 0,
  lastOutcome: undefined,
  lastProbe: undefined,
})

export const restartsOf = ({ starts }: ServiceRecord): number => Math.max(0, starts - 1)
