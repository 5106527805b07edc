// Numbers as people read them: the median, and from the least to the most.
export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length === 0 ? Number.NaN : sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

export type Unit = 's' | 'ms' | 'MB' | '%' | '/s' | ''

/** Three figures, no more: what follows is noise. */
const digits = (value: number): string => {
  const size = Math.abs(value)
  return size >= 10_000 ? Math.round(value).toLocaleString('en') : size >= 100 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : size === 0 ? '0' : value.toFixed(2)
}

export const showNumber = (value: number, unit: Unit): string => `${digits(value)}${unit === '' || unit === '/s' ? unit : ` ${unit}`}`

export const show = (values: readonly number[], unit: Unit): string => {
  const middle = showNumber(median(values), unit)
  const [low, high] = [Math.min(...values), Math.max(...values)]
  return values.length === 1 || low === high ? middle : `${middle} (${digits(low)}–${digits(high)})`
}
