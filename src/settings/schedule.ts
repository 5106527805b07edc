import { Cron } from 'croner'
import { dayMs, hourMs } from '../core/amounts.ts'
import type { InForce } from './configuration.ts'

/** Never by itself. */
const off = 'off'

const lengthLimit = 100

const parse = (text: string): Cron => new Cron(text, { mode: '5-part' })

/** Why a text is not a schedule. */
export const whyNotSchedule = (text: string): string | undefined => {
  if (text === off) return undefined
  const form = `must be \`${off}\` or five fields of cron, such as "30 3 * * *" for half past three`
  if (text.length > lengthLimit) return `it ${form}`
  try {
    return parse(text).nextRun() === null ? `"${text}" never comes` : undefined
  } catch {
    return `"${text}" ${form}`
  }
}

/**
 * The first moment of a schedule after another one, in the time zone of this process (TZ). An hour that is
 * there twice counts once, and what falls into one that is missing comes right after it.
 */
const nextAfter = (schedule: string, afterMs: number): number =>
  parse(schedule).nextRun(new Date(afterMs))?.getTime() ?? Number.POSITIVE_INFINITY

/** A failed run is tried again this much later, unless its next time comes first. */
const againMs = hourMs
/** A run that waits so long for its turn is late. */
const lateMs = 2 * hourMs

/** What is known of the runs of a schedule. Times are milliseconds since 1970. */
export type Runs = {
  readonly schedule: string
  /** When the last good run began; else since when there is the schedule. */
  readonly sinceMs: number
  /** When the last run ended, where that failed. */
  readonly failedMs?: number | undefined
  /** When to try again at the earliest, where something else was in its way. */
  readonly waitUntilMs?: number | undefined
}

/** A clock is corrected by less; by more it was wrong when the last run began. */
const correctionMs = hourMs

/** The run of a clock that was wrong tells nothing: what was due in the last day is due. */
const countsFrom = (sinceMs: number, nowMs: number): number =>
  sinceMs > nowMs + correctionMs ? nowMs - dayMs : Math.min(sinceMs, nowMs)

/**
 * When the next run is due. A moment in the past: it was missed, and is made up for once, however many were
 * missed. A clock that was set back puts nothing off.
 */
export const dueMsOf = ({ schedule, sinceMs, failedMs, waitUntilMs = 0 }: Runs, nowMs: number): number => {
  const dueMs = nextAfter(schedule, countsFrom(sinceMs, nowMs))
  if (failedMs === undefined || failedMs > nowMs) return Math.max(dueMs, Math.min(waitUntilMs, nowMs + dayMs))
  return Math.max(dueMs, Math.min(failedMs + againMs, nextAfter(schedule, failedMs)))
}

/** Whether a run waits too long. `readyMs` is since when it could have been. */
export const isLate = (dueMs: number, readyMs: number, nowMs: number): boolean =>
  nowMs - Math.max(dueMs, readyMs) > lateMs

/** What is done by itself when nobody says. */
const defaults = { backup: '30 3 * * *', drill: '30 4 * * 0' }

export type Schedules = {
  /** Five fields of cron; `undefined`: never. */
  readonly backup: string | undefined
  readonly drill: string | undefined
  /** Whether somebody asked for the drill: else it is left out where it cannot be done. */
  readonly isDrillAsked: boolean
}

const unlessOff = (schedule: string | undefined): string | undefined =>
  schedule === off ? undefined : schedule

/**
 * The schedules in force. An external database has backups where it is, and a dump of it may be large: it is
 * made on demand alone.
 */
export const schedulesOf = ({ settings, database }: Pick<InForce, 'settings' | 'database'>): Schedules => {
  const { BACKUP_SCHEDULE: backup, BACKUP_DRILL: drill, BACKUP_TO: places } = settings
  const isOwn = database.kind === 'embedded'
  const mayDrill = isOwn && places.includes('volume') && backup !== off
  return {
    backup: unlessOff(backup ?? (isOwn ? defaults.backup : undefined)),
    drill: unlessOff(drill ?? (mayDrill ? defaults.drill : undefined)),
    isDrillAsked: drill !== undefined,
  }
}
