import { dayMs, hourMs } from './amounts.ts'

const unitMs: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: hourMs, d: dayMs }

/** How long ago: "10m", "90s", "2h", "1d"; `undefined` for other texts. Milliseconds. */
export const parseAgo = (text: string): number | undefined => {
  const [, count, unit = ''] = /^(\d{1,6})\s*(s|m|h|d)(?:in)?$/.exec(text.trim()) ?? []
  return count === undefined ? undefined : Number(count) * unitMs[unit]!
}

/** JavaScript takes February 30 for March 2. */
const isDay = (date: string, ms: number): boolean =>
  !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(date)

/**
 * A moment: "2026-11-26 10:15", "2026-11-26T10:15:30.5Z", or "10:15", which is the last time that a clock
 * showed that. UTC unless it says otherwise. Milliseconds since 1970; `undefined` for other texts.
 */
export const parseMoment = (text: string, nowMs: number): number | undefined => {
  const [, date, time, zone = 'Z'] =
    /^(?:(\d{4}-\d{2}-\d{2})[ T])?(\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)\s*(Z|UTC|[+-]\d{2}:\d{2})?$/.exec(
      text.trim(),
    ) ?? []
  if (time === undefined) return undefined
  const day = date ?? new Date(nowMs).toISOString().slice(0, 10)
  const ms = Date.parse(`${day}T${time}${zone === 'UTC' ? 'Z' : zone}`)
  if (Number.isNaN(ms) || !isDay(day, Date.parse(`${day}T00:00Z`))) return undefined
  return date === undefined ? ms - Math.ceil((ms - nowMs) / dayMs) * dayMs : ms
}

/** To the minute, in UTC: of milliseconds since 1970, or of ISO 8601. */
export const minuteOf = (at: number | string): string =>
  (typeof at === 'string' ? at : new Date(at).toISOString()).slice(0, 16).replace('T', ' ')
