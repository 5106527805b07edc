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

/** The configuration that last proved itself. */
export const lastGood = (history: History): string | undefined => history.findLast(({ result }) => result === 'applied')?.version

/** The one before it that differs: what a rollback goes back to. */
export const previousGood = (history: History, current: string): string | undefined =>
  history.findLast(({ result, version }) => result === 'applied' && version !== current)?.version

/** Adds an entry; the oldest go when there are more than `historyLimit`. */
export const withEntry = (history: History, entry: HistoryEntry): History => [...history, entry].slice(-historyLimit)

export type Revision = { readonly version: string; readonly files: ConfigFiles }
