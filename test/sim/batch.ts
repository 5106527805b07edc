import { type Fault, rates } from './faults.ts'
import type { RunResult } from './run.ts'

/** What is kept of a run that failed: enough to run it again. */
export type Failed = { readonly seed: number; readonly invariant: string; readonly detail: string }

/** What many runs came to. Can be sent between threads. */
export type Summary = {
  seeds: number
  boots: number
  virtualMs: number
  readonly faults: Map<Fault, number>
  readonly known: Map<string, number>
  readonly failed: Failed[]
}

const failedLimit = 100

export const emptySummary = (): Summary => ({
  seeds: 0,
  boots: 0,
  virtualMs: 0,
  faults: new Map(),
  known: new Map(),
  failed: [],
})

const addCounts = <Key>(to: Map<Key, number>, from: ReadonlyMap<Key, number>): void => {
  for (const [key, count] of from) to.set(key, (to.get(key) ?? 0) + count)
}

export const addResult = (
  summary: Summary,
  { seed, boots, virtualMs, violations, known, faults }: RunResult,
): void => {
  summary.seeds += 1
  summary.boots += boots
  summary.virtualMs += virtualMs
  addCounts(summary.faults, faults)
  addCounts(summary.known, known)
  const [first] = violations
  if (first && summary.failed.length < failedLimit) summary.failed.push({ seed, ...first })
}

export const addSummary = (to: Summary, from: Summary): void => {
  to.seeds += from.seeds
  to.boots += from.boots
  to.virtualMs += from.virtualMs
  addCounts(to.faults, from.faults)
  addCounts(to.known, from.known)
  to.failed.push(...from.failed.slice(0, failedLimit - to.failed.length))
}

const byCount = <Key>(counts: ReadonlyMap<Key, number>): (readonly [Key, number])[] =>
  [...counts].sort(([, one], [, other]) => other - one)

export const describeFailed = ({ seed, invariant, detail }: Failed): string =>
  `FAILED seed ${seed}: ${invariant}: ${detail}`

/** The summary in words. */
export const describeSummary = (
  { seeds, boots, virtualMs, faults, known, failed }: Summary,
  wallMs: number,
): string => {
  const perSecond = (count: number): string => Math.round((1000 * count) / wallMs).toLocaleString('en-US')
  const never = Object.keys(rates).filter((fault) => ![...faults.keys()].some((seen) => seen === fault))
  return [
    `${seeds.toLocaleString('en-US')} seeds, ${boots.toLocaleString('en-US')} boots, ` +
      `${Math.round(virtualMs / 3_600_000).toLocaleString('en-US')} hours of virtual time ` +
      `in ${(wallMs / 1000).toFixed(1)} s: ${perSecond(seeds)} seeds and ${perSecond(boots)} boots a second`,
    `Faults: ${byCount(faults)
      .map(([fault, count]) => `${fault} ${count.toLocaleString('en-US')}`)
      .join(', ')}`,
    ...(never.length > 0 ? [`Faults that never struck: ${never.join(', ')}`] : []),
    ...byCount(known).map(([name, count]) => `Known, ${count.toLocaleString('en-US')} times: ${name}`),
    ...failed.map(describeFailed),
    failed.length === 0 ? 'No invariant was broken.' : `${failed.length} runs broke an invariant.`,
  ].join('\n')
}
