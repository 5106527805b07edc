import { MiB } from './amounts.ts'
import { excerpt, printable } from './message.ts'
import type { Phase } from './phase.ts'
import { type UpdateStatus, updateInWords } from './releases.ts'
import { renderTable } from './table.ts'
import type { Milliseconds, UnitState } from './unit.ts'

/**
 * One task or service, as `supervisor status --json` shows it. Times are ISO 8601, durations milliseconds,
 * memory bytes.
 */
export type UnitStatus = {
  readonly name: string
  readonly kind: 'task' | 'service'
  readonly description: string
  readonly state: UnitState
  readonly since: string
  readonly pid: number | null
  readonly restarts: number
  /**
   * Counts the processes that have been the service: a change of settings makes a new one without a restart.
   */
  readonly generation: number
  readonly memoryBytes: number | null
  readonly lastExit: string | null
  readonly detail: string | null
  readonly tookMs: Milliseconds | null
  /** When the boot began with it, from the start of the container. */
  readonly startedAfterMs: Milliseconds | null
}

export type Problem = {
  readonly unit: string
  readonly code: string | null
  readonly message: string
  readonly hint: string | null
}

/** What is known of backups. Times are ISO 8601; places as people write them. */
export type BackupStatus = {
  readonly running: 'backup' | 'drill' | null
  /** When the next one is due: in the past when it waits; `null`: never, or Mathesar is not ready yet. */
  readonly nextAt: string | null
  readonly last: {
    readonly name: string
    readonly at: string
    readonly tookMs: Milliseconds
    readonly bytes: number
    readonly places: readonly string[]
  } | null
  readonly proved: {
    readonly name: string
    readonly at: string
    /** From the archive to a server that answers. */
    readonly restoreMs: Milliseconds
  } | null
}

/** Which moment `supervisor yesterday` serves beside, and until when, in ISO 8601. */
export type PastStatus = { readonly at: string; readonly until: string }

/** How far back `supervisor undo` goes, in ISO 8601; `null` where nothing is kept yet. */
export type UndoStatus = { readonly from: string | null; readonly serves: PastStatus | null }

/**
 * The one truth that the table, JSON, health and exit codes render.
 * `version` changes when a field changes its meaning or goes away.
 */
export type Status = {
  readonly version: 1
  readonly phase: Phase
  readonly ready: boolean
  readonly url: string
  readonly supervisor: {
    readonly version: string
    readonly pid: number
    readonly startedAt: string
    readonly memoryBytes: number
    readonly reaped: number
    readonly droppedLogLines: number
  }
  readonly database: 'embedded' | 'external'
  /**
   * `version` names the content of the config files;
   * `pendingRestart` the settings that take effect at the next start of the container.
   */
  readonly config: {
    readonly version: string
    readonly changing: boolean
    readonly pendingRestart: readonly string[]
  }
  readonly boot: {
    readonly readyAfterMs: Milliseconds | null
    readonly criticalPath: readonly { readonly unit: string; readonly tookMs: Milliseconds }[]
  }
  readonly backup: BackupStatus
  /** `null` where nothing is to be kept. */
  readonly undo: UndoStatus | null
  /** A newer Mathesar; `null` where none is known. */
  readonly update: UpdateStatus | null
  readonly units: readonly UnitStatus[]
  readonly problems: readonly Problem[]
}

/**
 * The same without what would drive the terminal that it is shown on, or fill it:
 * much of it was said by other processes.
 */
export const presentable = (status: Status): Status => ({
  ...status,
  url: printable(status.url),
  units: status.units.map((unit) => ({ ...unit, detail: unit.detail && excerpt(unit.detail) })),
  problems: status.problems.map((problem) => ({
    ...problem,
    message: excerpt(problem.message),
    hint: problem.hint && excerpt(problem.hint),
  })),
})

/** How long ago a time of ISO 8601 was. */
export const age = (since: string, now: number): string => {
  const seconds = Math.max(0, Math.round((now - Date.parse(since)) / 1000))
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86_400)} d`
}

const headlineOf = ({ phase, ready, url, units }: Status): string => {
  switch (phase) {
    case 'booting':
    case 'draining':
    case 'stopping':
      return phase
    case 'ended':
      return 'stopped'
    case 'running':
      if (units.some(({ state }) => state === 'asleep')) return `asleep: who opens ${url} wakes it`
      return ready ? `ready at ${url}` : 'not ready'
  }
}

const ago = (at: string, now: number): string => `${age(at, now)} ago`

/** Backups in one line; none where there are none and none will be. */
const backupLines = ({ running, nextAt, last, proved }: BackupStatus, now: number): readonly string[] => {
  if (last === null && nextAt === null && running === null) return []
  const made = last === null ? 'none yet' : `last ${ago(last.at, now)} (${last.places.join(', ')})`
  const proof =
    proved === null
      ? 'not proved yet'
      : `last proved ${ago(proved.at, now)}, a restore takes ${Math.ceil(proved.restoreMs / 1000)} s`
  const next = nextAt === null ? [] : [`next at ${nextAt.slice(0, 16)}Z`]
  const work = running === null ? [] : [`a ${running} is at work`]
  return [`Backup: ${[made, ...(last === null ? [] : [proof]), ...next, ...work].join('; ')}`]
}

const undoLine = ({ from, serves }: UndoStatus): string => {
  const kept = from === null ? 'nothing is kept yet' : `back to any moment since ${from.slice(0, 19)}Z`
  if (serves === null) return `Undo: ${kept}`
  return `Undo: ${kept}; ${serves.at.slice(0, 19)}Z is served beside until ${serves.until.slice(0, 16)}Z`
}

/** The status as people read it. `nowMs` is milliseconds since 1970. */
export const renderStatus = (status: Status, nowMs: number): string => {
  const rows = status.units.map((unit) => [
    unit.name,
    unit.kind,
    unit.state,
    age(unit.since, nowMs),
    unit.pid === null ? '-' : String(unit.pid),
    unit.kind === 'task' ? '-' : String(unit.restarts),
    unit.memoryBytes === null ? '-' : `${Math.round(unit.memoryBytes / MiB)} MiB`,
    unit.detail ?? unit.lastExit ?? (unit.tookMs === null ? '' : `took ${unit.tookMs} ms`),
  ])
  const path = status.boot.criticalPath.map(({ unit, tookMs }) => `${unit} ${tookMs}`).join(' → ')
  const problems = status.problems.flatMap(({ unit, message, hint }) => [
    `! ${unit}: ${message}`,
    ...(hint ? [`  ${hint}`] : []),
  ])
  return [
    `Mathesar: ${headlineOf(status)}`,
    '',
    renderTable([['UNIT', 'KIND', 'STATE', 'SINCE', 'PID', 'RESTARTS', 'MEMORY', 'DETAIL'], ...rows]),
    '',
    ...(status.boot.readyAfterMs === null
      ? []
      : [`Boot: ready after ${status.boot.readyAfterMs} ms; critical path in ms: ${path}`]),
    ...(status.config.pendingRestart.length > 0
      ? [`Config: ${status.config.pendingRestart.join(', ')} take effect at the next start of the container`]
      : []),
    ...backupLines(status.backup, nowMs),
    ...(status.undo === null ? [] : [undoLine(status.undo)]),
    ...(status.update === null ? [] : [`Update: ${updateInWords(status.update)}`]),
    ...(problems.length > 0 ? ['', ...problems] : []),
    '',
  ].join('\n')
}
