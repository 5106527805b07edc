// Numbers as people read them: the median, and from the least to the most.
export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length === 0) return Number.NaN
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export type Unit = 's' | 'ms' | 'MB' | '%' | '/s' | ''

/** Three figures, no more: what follows is noise. */
const digits = (value: number): string => {
  const size = Math.abs(value)
  if (size >= 1000) return Math.round(value).toLocaleString('en')
  if (size >= 100 || Number.isInteger(value)) return value.toFixed(0)
  return value.toFixed(size >= 10 ? 1 : 2)
}

export const showNumber = (value: number, unit: Unit): string =>
  `${digits(value)}${unit === '' || unit === '/s' ? unit : ` ${unit}`}`

/** From the least to the most, where they differ as shown. */
export const range = (values: readonly number[]): string | undefined => {
  const [low, high] = [digits(Math.min(...values)), digits(Math.max(...values))]
  return low === high ? undefined : `${low}–${high}`
}

export const show = (values: readonly number[], unit: Unit): string => {
  const spread = range(values)
  return showNumber(median(values), unit) + (spread === undefined ? '' : ` (${spread})`)
}
