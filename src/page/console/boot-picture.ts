import type { Status, UnitStatus } from '../../core/status.ts'
import { escape, toneOf } from '../render.ts'
import { words } from '../words.ts'

/** Units of the drawing: CSS makes it as wide as the page. */
const [width, labels, right, row, top] = [960, 150, 56, 22, 26]

type Bar = {
  readonly name: string
  readonly beganMs: number
  readonly tookMs: number
  readonly tone: string
  readonly isWaitedFor: boolean
}

/** Milliseconds for people. */
export const inSeconds = (ms: number): string =>
  ms < 1000 ? `${Math.round(ms)} ms` : words.seconds((ms / 1000).toFixed(1))

/** What is under way has no end yet: it goes on to now. */
const barOf = (unit: UnitStatus, { supervisor, boot }: Status, nowMs: number): Bar | undefined => {
  const { name, state, startedAfterMs, tookMs, since } = unit
  const common = {
    name,
    tone: toneOf(state),
    isWaitedFor: boot.criticalPath.some((each) => each.unit === name),
  }
  if (startedAfterMs !== null && tookMs !== null) return { ...common, beganMs: startedAfterMs, tookMs }
  if (boot.readyAfterMs !== null || (state !== 'running' && state !== 'starting')) return undefined
  const sinceMs = Date.parse(since)
  return {
    ...common,
    beganMs: Math.max(0, sinceMs - Date.parse(supervisor.startedAt)),
    tookMs: Math.max(0, nowMs - sinceMs),
  }
}

/** The step of an axis to `endMs`: 1, 2 or 5 of a power of ten, at most eight of them. */
export const stepFor = (endMs: number): number => {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, endMs / 8)))
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => endMs / step <= 8) ?? 10 * power
}

const drawAxis = (endMs: number, at: (ms: number) => number, height: number): string => {
  const step = stepFor(endMs)
  const ticks = Array.from({ length: Math.floor(endMs / step) + 1 }, (_, index) => index * step)
  return ticks
    .map(
      (ms) =>
        `<path class="grid" d="M${at(ms)} ${top - 6}V${height}"/>` +
        `<text x="${at(ms)}" y="12" text-anchor="middle">${inSeconds(ms)}</text>`,
    )
    .join('')
}

const drawBar = (
  { name, beganMs, tookMs, tone, isWaitedFor }: Bar,
  y: number,
  at: (ms: number) => number,
) => {
  const [from, to] = [at(beganMs), at(beganMs + tookMs)]
  const kind = tone === 'good' && isWaitedFor ? 'waited' : tone
  return (
    `<g><title>${escape(name)}: ${words.console.status.from(inSeconds(beganMs), inSeconds(tookMs))}</title>` +
    `<text x="${labels - 10}" y="${y + 15}" text-anchor="end">${escape(name)}</text>` +
    `<rect class="bar ${kind}" x="${from}" y="${y + 4}" width="${Math.max(2, to - from).toFixed(1)}" ` +
    `height="${row - 8}" rx="3"/>` +
    `<text class="took" x="${Math.max(from + 2, to) + 6}" y="${y + 15}">${inSeconds(tookMs)}</text></g>`
  )
}

/** When each unit began in the boot, and how long it took. '' before there is anything to draw. */
export const drawBoot = (status: Status, nowMs: number): string => {
  const bars = status.units
    .flatMap((unit) => barOf(unit, status, nowMs) ?? [])
    .toSorted((one, other) => one.beganMs - other.beganMs)
  if (bars.length === 0) return ''
  const { readyAfterMs } = status.boot
  const endMs = Math.max(1, readyAfterMs ?? 0, ...bars.map(({ beganMs, tookMs }) => beganMs + tookMs))
  const at = (ms: number): number => Math.round((labels + (ms / endMs) * (width - labels - right)) * 10) / 10
  const height = top + bars.length * row + 4
  const { bootTitle, readyMark } = words.console.status
  const ready =
    readyAfterMs === null
      ? ''
      : `<path class="ready" d="M${at(readyAfterMs)} ${top - 6}V${height}"><title>${readyMark}: ` +
        `${inSeconds(readyAfterMs)}</title></path>`
  return (
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${bootTitle}">` +
    `${drawAxis(endMs, at, height)}${ready}` +
    `${bars.map((bar, index) => drawBar(bar, top + index * row, at)).join('')}</svg>`
  )
}
