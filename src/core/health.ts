import type { Phase } from './phase.ts'
import type { UnitStatus } from './status.ts'
import type { Milliseconds } from './unit.ts'

/**
 * What a unit has written since it got under way: signs that it goes on. Times here are by the clock that
 * nobody sets.
 */
export type Signs = { readonly lines: number; readonly lastMs: number }

/** A unit that works. */
type Busy = {
  readonly unit: string
  readonly forMs: Milliseconds
  /** Lines that it wrote meanwhile, and how long ago the last one was; `null` when it wrote none. */
  readonly lines: number
  readonly lastAgoMs: Milliseconds | null
}

/**
 * `live`: a restart of the container would not help. `ready`: it takes requests. `busy`: it does not, and
 * what it waits for is seen to go on.
 */
export type Health = {
  readonly live: true
  readonly ready: boolean
  readonly started: boolean
  readonly busy: boolean
  readonly phase: Phase
  readonly work: readonly Busy[]
}

/** Less is a start, which needs no word. */
const workFromMs = 10_000
/** Postgres tells each 10 s how far its recovery is; a migration may take a while for one table. */
const silenceLimitMs = 60_000

type Facts = {
  readonly phase: Phase
  /** `forMs`: how long it has been in its state. */
  readonly units: readonly (Pick<UnitStatus, 'name' | 'state'> & { readonly forMs: Milliseconds })[]
  readonly isReady: boolean
  readonly wasReady: boolean
  readonly signsOf: (unit: string) => Signs | undefined
  readonly elapsedMs: Milliseconds
}

/** Tells work from failure: by what is seen of it, not by hope. */
export const healthOf = ({ phase, units, isReady, wasReady, signsOf, elapsedMs }: Facts): Health => {
  const work = units.flatMap(({ name, state, forMs }): Busy[] => {
    if ((state !== 'running' && state !== 'starting') || forMs < workFromMs) return []
    const { lines = 0, lastMs } = signsOf(name) ?? {}
    return [{ unit: name, forMs, lines, lastAgoMs: lastMs === undefined ? null : elapsedMs - lastMs }]
  })
  const isSeen = work.some(({ lastAgoMs }) => lastAgoMs !== null && lastAgoMs < silenceLimitMs)
  return { live: true, ready: isReady, started: wasReady, busy: !isReady && isSeen, phase, work }
}

const seconds = (ms: Milliseconds): string => `${Math.round(ms / 1000)} s`

/** One unit's work in words. */
export const workInWords = ({ unit, forMs, lines, lastAgoMs }: Busy): string =>
  `${unit} works for ${seconds(forMs)}` +
  (lastAgoMs === null
    ? ', and wrote nothing yet'
    : `, wrote ${lines} lines, the last ${seconds(lastAgoMs)} ago`)
