import { excerpt } from '../core/message.ts'
import type { Milliseconds } from '../core/unit.ts'

const unitsMs: Readonly<Record<string, Milliseconds>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

const parse = (text: string): Milliseconds | undefined => {
  if (text === 'off') return Number.POSITIVE_INFINITY
  const [, digits, unit = ''] = /^([1-9]\d{0,5})([smhd])$/.exec(text) ?? []
  return digits === undefined ? undefined : Number(digits) * unitsMs[unit]!
}

/** Why a text is no duration. */
export const whyNotDuration = (text: string): string | undefined =>
  parse(text) === undefined
    ? `"${excerpt(text, 80)}" is neither off nor a number with a unit such as 45s, 30m, 2h or 1d`
    : undefined

/** A duration that was checked; `off` is for ever. */
export const durationOf = (text: string): Milliseconds => parse(text) ?? Number.POSITIVE_INFINITY
