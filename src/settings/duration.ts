import { excerpt } from '../core/message.ts'
import { parseAgo } from '../core/moment.ts'
import type { Milliseconds } from '../core/unit.ts'

const parse = (text: string): Milliseconds | undefined => {
  if (text === 'off') return Number.POSITIVE_INFINITY
  return /^[1-9]\d{0,5}[smhd]$/.test(text) ? parseAgo(text) : undefined
}

/** Why a text is not a duration. */
export const whyNotDuration = (text: string): string | undefined =>
  parse(text) === undefined
    ? `"${excerpt(text, 80)}" is neither off nor a number with a unit such as 45s, 30m, 2h or 1d`
    : undefined

/** A duration that was checked; `off` is for ever. */
export const durationOf = (text: string): Milliseconds => parse(text) ?? Number.POSITIVE_INFINITY
