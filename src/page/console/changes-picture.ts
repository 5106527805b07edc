import { minuteOf } from '../../core/moment.ts'
import type { HistoryEntry } from '../../settings/history.ts'
import { escape } from '../render.ts'
import { words } from '../words.ts'

const [width, height, side, line] = [960, 84, 24, 34]
/** Marks do not cover each other: those of one moment stand beside each other. */
const leastGap = 18
/** What has room. */
const mostMarks = Math.floor((width - 2 * side) / leastGap)

/** Shapes that can be told apart without their colors, around a point. */
const shapes: Readonly<Record<HistoryEntry['result'], (x: number) => string>> = {
  applied: (x) => `<circle class="good" cx="${x}" cy="${line}" r="7"/>`,
  'left to boot': (x) => `<circle class="open" cx="${x}" cy="${line}" r="7"/>`,
  rejected: (x) => `<path class="bad" d="M${x - 6} ${line - 6}l12 12m0 -12l-12 12"/>`,
  'rolled back': (x) => `<path class="bad full" d="M${x} ${line - 8}l8 8l-8 8l-8 -8z"/>`,
}

/** Places in time on the line, pushed apart where they are too near. */
export const placesOf = (times: readonly number[]): readonly number[] => {
  const [first = 0, last = 0] = [times[0], times.at(-1)]
  const room = width - 2 * side
  const ideal = times.map((time) =>
    last > first ? side + ((time - first) / (last - first)) * room : width / 2,
  )
  const pushed: number[] = []
  for (const x of ideal) pushed.push(Math.max(x, (pushed.at(-1) ?? Number.NEGATIVE_INFINITY) + leastGap))
  let most = width - side
  return pushed
    .toReversed()
    .map((x) => {
      const placed = Math.min(x, most)
      most = placed - leastGap
      return Math.round(placed * 10) / 10
    })
    .toReversed()
}

const titleOf = ({ at, from, result, version, changes }: HistoryEntry): string => {
  const { origins, results } = words.console.history
  const names = changes.map(({ name }) => name).join(', ')
  return `${at.slice(0, 19).replace('T', ' ')}, ${version} (${origins[from]}): ${results[result]} ${names}`
}

const drawDate = (x: number, at: string, anchor: string): string =>
  `<text x="${x}" y="${height - 12}" text-anchor="${anchor}">` + `${escape(minuteOf(at))}</text>`

/** The last changes on a line of time. '' where there are none. */
export const drawChanges = (history: readonly HistoryEntry[]): string => {
  const entries = history.slice(-mostMarks)
  const [first, last] = [entries[0], entries.at(-1)]
  if (first === undefined || last === undefined) return ''
  const places = placesOf(entries.map(({ at }) => Date.parse(at) || 0))
  const marks = entries.map(
    (entry, index) =>
      `<g><title>${escape(titleOf(entry))}</title>${shapes[entry.result](places[index] ?? 0)}</g>`,
  )
  const dates =
    entries.length === 1
      ? drawDate(width / 2, first.at, 'middle')
      : `${drawDate(side, first.at, 'start')}${drawDate(width - side, last.at, 'end')}`
  return (
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${words.console.status.changesTitle}">` +
    `<path class="grid" d="M${side} ${line}H${width - side}"/>${marks.join('')}${dates}</svg>`
  )
}
