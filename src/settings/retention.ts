import { excerpt } from '../core/message.ts'
import { listItems } from '../core/text.ts'

/** How archives are thinned out: `7 daily` are the newest of each of the last 7 days that have one. */
const periods = ['last', 'hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const
type Period = (typeof periods)[number]

type Rule = { readonly count: number; readonly period: Period }

/** Nothing is thinned out. */
const all = 'all'
const countLimit = 10_000

const parseRule = (text: string): Rule | undefined => {
  const [, count, word] = /^(\d{1,5}) +([a-z]+)$/.exec(text) ?? []
  const period = periods.find((each) => each === word)
  return period === undefined || Number(count) < 1 || Number(count) > countLimit
    ? undefined
    : { count: Number(count), period }
}

/** Why a text is not a rule for what is kept. */
export const whyNotRetention = (text: string): string | undefined => {
  if (text === all) return undefined
  const wrong = listItems(text).find((item) => parseRule(item) === undefined)
  if (wrong === undefined) return undefined
  const form = `\`${all}\` or a number and one of ${periods.join(', ')}, such as "7 daily"`
  return `"${excerpt(wrong, 80)}" must be ${form}`
}

const twoDigits = (value: number): string => String(value).padStart(2, '0')

/** Names the period that a moment is in, by the calendar of this process (TZ). */
const periodOf = (period: Period, atMs: number, index: number): string => {
  const at = new Date(atMs)
  const day = `${at.getFullYear()}-${twoDigits(at.getMonth() + 1)}-${twoDigits(at.getDate())}`
  switch (period) {
    case 'last':
      return String(index)
    case 'hourly':
      return at.toISOString().slice(0, 13) // An hour that is there twice is two.
    case 'daily':
      return day
    case 'weekly': {
      const monday = new Date(at.getFullYear(), at.getMonth(), at.getDate() - ((at.getDay() + 6) % 7))
      return `${monday.getFullYear()}-${monday.getMonth()}-${monday.getDate()}`
    }
    case 'monthly':
      return day.slice(0, 7)
    case 'yearly':
      return day.slice(0, 4)
  }
}

type Made = {
  readonly name: string
  readonly atMs: number
  /** What it cannot be restored without. */
  readonly parent?: string | undefined
}

/** Adds what others need: the parent of each, its parent, and so on. */
const withParents = (kept: ReadonlySet<string>, archives: readonly Made[]): ReadonlySet<string> => {
  const parents = new Map(archives.map(({ name, parent }) => [name, parent]))
  const whole = new Set(kept)
  // What is added to a set while one goes over it comes in its turn.
  for (const name of whole) {
    const parent = parents.get(name)
    if (parent !== undefined) whole.add(parent)
  }
  return whole
}

/**
 * The archives that a rule no longer keeps, the newest first: so none is ever there without its parent. The
 * newest one always stays, and so do those of the names in `pinned`, and whatever they need.
 */
export const chooseRemoved = (
  rule: string,
  archives: readonly Made[],
  pinned: readonly string[],
): readonly string[] => {
  if (rule === all) return []
  const newestFirst = archives.toSorted((one, other) => other.atMs - one.atMs)
  const wanted = new Set<string>([...pinned, ...newestFirst.slice(0, 1).map(({ name }) => name)])
  for (const { count, period } of listItems(rule).flatMap((item) => parseRule(item) ?? [])) {
    const seen = new Set<string>()
    newestFirst.forEach(({ name, atMs }, index) => {
      const key = periodOf(period, atMs, index)
      if (seen.has(key) || seen.size === count) return
      seen.add(key)
      wanted.add(name)
    })
  }
  const kept = withParents(wanted, archives)
  return newestFirst.flatMap(({ name }) => (kept.has(name) ? [] : [name]))
}
