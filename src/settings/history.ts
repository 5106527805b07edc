import { MiB } from '../core/amounts.ts'
import { configFiles, type ConfigFiles, leastFiles } from './configuration.ts'
import { excerpt } from '../core/message.ts'
import { isRecord } from '../core/record.ts'
import { actionInWords, type Change } from './plan.ts'
import { type Action, settingNames } from './table.ts'
import { yamlNames } from './yaml-files.ts'

const origins = ['boot', 'file', 'command', 'api', 'app', 'page', 'rollback', 'signal'] as const
/** Where a change came from. */
export type Origin = (typeof origins)[number]
export const results = ['applied', 'left to boot', 'rejected', 'rolled back'] as const

/**
 * One change that was tried, as `config history` shows it. Names of settings, never values. `at` is ISO 8601.
 */
export type HistoryEntry = {
  readonly at: string
  readonly from: Origin
  readonly version: string
  readonly result: (typeof results)[number]
  readonly changes: readonly Change[]
  readonly why: string | null
}

/** What the volume keeps of the configuration: newest last. */
export type History = readonly HistoryEntry[]

export const historyLimit = 100
/** How much of a reason is kept. With it a whole history is smaller than `historyLimitBytes`. */
const whyLimit = 2048
export const historyLimitBytes = 2 * MiB

const wasApplied = ({ result }: HistoryEntry): boolean => result === 'applied'

const lastApplied = (history: History): HistoryEntry | undefined => history.findLast(wasApplied)
const appliedBefore = (history: History, current: string): HistoryEntry | undefined =>
  history.findLast((entry) => wasApplied(entry) && entry.version !== current)

/** The configuration that last proved itself. */
export const lastGood = (history: History): string | undefined => lastApplied(history)?.version

/** The one before it that differs: what a rollback goes back to. */
export const previousGood = (history: History, current: string): string | undefined =>
  appliedBefore(history, current)?.version

/** What somebody left to the boot that comes, unless one has tried it. */
export const leftToBoot = (history: History): string | undefined => {
  const last = history.findLast(
    (entry) => wasApplied(entry) || entry.result === 'left to boot' || entry.from === 'boot',
  )
  return last?.result === 'left to boot' ? last.version : undefined
}

/** The last entry, where it tells of a boot that went back to other files. */
export const failedBoot = (history: History): HistoryEntry | undefined => {
  const last = history.at(-1)
  return last?.from === 'boot' && !wasApplied(last) ? last : undefined
}

/**
 * Adds an entry; the oldest go when there are more than `historyLimit`,
 * but never those that can be gone back to: refused ones may be many.
 */
export const withEntry = (history: History, entry: HistoryEntry): History => {
  const all = [...history, entry.why === null ? entry : { ...entry, why: excerpt(entry.why, whyLimit) }]
  const last = lastApplied(all)
  const kept = [last, last && appliedBefore(all, last.version)]
  let surplus = all.length - historyLimit
  return all.filter((one) => kept.includes(one) || surplus-- <= 0)
}

const actions = Object.keys(actionInWords) as Action[]
const changeable = [...settingNames, ...yamlNames] as const
const isOneOf = <T extends string>(list: readonly T[], value: unknown): value is T =>
  (list as readonly unknown[]).includes(value)
export const isVersion = (text: string): boolean => /^[0-9a-f]{12}$/.test(text)

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own words repeat what it found there: it may be a secret.
    throw new Error('it is not valid JSON')
  }
}

const changeOf = (value: unknown): Change | undefined => {
  if (!isRecord(value)) return undefined
  const { name, action } = value
  return isOneOf(changeable, name) && isOneOf(actions, action) ? { name, action } : undefined
}

const entryOf = (value: unknown): HistoryEntry | undefined => {
  if (!isRecord(value)) return undefined
  const { at, from, version, result, changes, why } = value
  if (
    typeof at !== 'string' ||
    !isOneOf(origins, from) ||
    typeof version !== 'string' ||
    !isVersion(version) ||
    !isOneOf(results, result)
  )
    return undefined
  if (!Array.isArray(changes) || (why !== null && typeof why !== 'string')) return undefined
  return {
    at: excerpt(at, 40),
    from,
    version,
    result,
    changes: changes.flatMap((change) => changeOf(change) ?? []),
    why: why && excerpt(why, whyLimit),
  }
}

export const formatHistory = (history: History): string => `${JSON.stringify(history, null, 1)}\n`

/** A history as it was kept. Entries that have not the form of one are left out; throws when nothing has. */
export const parseHistory = (text: string): History => {
  const value = parse(text)
  const entries = Array.isArray(value) ? value.flatMap((entry) => entryOf(entry) ?? []) : []
  if (entries.length === 0) throw new Error('it holds no history')
  return entries.slice(-historyLimit)
}

/**
 * The files as `formatFiles` kept them. Throws when it has another form: what lacks a file would remove it.
 */
export const parseFiles = (text: string): ConfigFiles => {
  const value = parse(text)
  if (
    !Array.isArray(value) ||
    value.length < leastFiles ||
    value.length > configFiles.length ||
    !value.every((content) => content === null || typeof content === 'string')
  )
    throw new Error('it holds no config files')
  return Object.fromEntries(
    configFiles.map((name, index) => [name, (value[index] as string | null | undefined) ?? undefined]),
  ) as ConfigFiles
}

export type Revision = { readonly version: string; readonly files: ConfigFiles }
