// Numbers as people read them: the median, and from the least to the most.
export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length === 0
    ? Number.NaN
    : sorted.length % 2 === 1
      ? sorted[middle]!
      : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export type Unit = 's' | 'ms' | 'MB' | '%' | '/s' | ''

/** Three figures, no more: what follows is noise. */
const digits = (value: number): string => {
  const size = Math.abs(value)
  return size >= 1000
    ? Math.round(value).toLocaleString('en')
    : size >= 100 || Number.isInteger(value)
      ? value.toFixed(0)
      : size >= 10
        ? value.toFixed(1)
        : value.toFixed(2)
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
