import type { ConfigFiles } from './configuration.ts'
import type { Change } from './plan.ts'

/** Where a change came from. */
export type Origin = 'boot' | 'file' | 'command' | 'interface' | 'rollback' | 'signal'

/** One change that was tried, as `config history` shows it. Names of settings, never values. `at` is ISO 8601. */
export type HistoryEntry = {
  readonly at: string
  readonly from: Origin
  readonly version: string
  readonly result: 'applied' | 'rejected' | 'rolled back'
  readonly changes: readonly Change[]
  readonly why: string | null
}

/** What the volume keeps of the configuration: newest last. */
export type History = readonly HistoryEntry[]

export const historyLimit = 100

const wasApplied = ({ result }: HistoryEntry): boolean => result === 'applied'

const lastApplied = (history: History): HistoryEntry | undefined => history.findLast(wasApplied)
const appliedBefore = (history: History, current: string): HistoryEntry | undefined => history.findLast((entry) => wasApplied(entry) && entry.version !== current)

/** The configuration that last proved itself. */
export const lastGood = (history: History): string | undefined => lastApplied(history)?.version

/** The one before it that differs: what a rollback goes back to. */
export const previousGood = (history: History, current: string): string | undefined => appliedBefore(history, current)?.version

/** Adds an entry; the oldest go when there are more than `historyLimit`, but never those that can be gone back to: refused ones may be many. */
export const withEntry = (history: History, entry: HistoryEntry): History => {
  const all = [...history, entry]
  const last = lastApplied(all)
  const kept = [last, last && appliedBefore(all, last.version)]
  let surplus = all.length - historyLimit
  return all.filter((one) => kept.includes(one) || surplus-- <= 0)
}

export type Revision = { readonly version: string; readonly files: ConfigFiles }
