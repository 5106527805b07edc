// How a boot went: the moments at which one phase ended and the next began,
// in milliseconds since `docker run` or `docker start`.
import type { Status } from '../src/core/status.ts'
import type { Box } from './peers.ts'

export const phases = [
  "Docker's own",
  'PID 1 until its first child',
  'cluster',
  'Postgres starts',
  'database, migrations, static files',
  'Mathesar until its page answers',
] as const

/** The end of each phase, in the order of `phases`. */
export type Timeline = readonly number[]

type Line = { readonly at: number; readonly text: string }

const linesSince = (log: string, since: number): readonly Line[] =>
  log
    .split('\n')
    .flatMap((line) => {
      const [, time, text] = /^(\S+Z) (.*)$/.exec(line) ?? []
      const at = Date.parse(time ?? '')
      return at >= since ? [{ at, text: text! }] : []
    })
    .sort((a, b) => a.at - b.at)

const first = (lines: readonly Line[], pattern: RegExp): number | undefined =>
  lines.find(({ text }) => pattern.test(text))?.at
const last = (lines: readonly Line[], pattern: RegExp): number | undefined =>
  lines.findLast(({ text }) => pattern.test(text))?.at

/** A stamp that a script took itself, in microseconds. */
const stamp = (lines: readonly Line[], name: string): number | undefined => {
  const pattern = new RegExp(`bench: ${name} (\\d+\\.\\d+)`)
  const text = lines.find((line) => pattern.test(line.text))?.text
  return text === undefined ? undefined : Number(pattern.exec(text)![1]) * 1000
}

const ours = async (box: Box): Promise<readonly (number | undefined)[]> => {
  const { supervisor, units } = JSON.parse(await box.exec('supervisor', 'status', '--json')) as Status
  const unit = (name: string): { readonly began: number; readonly ended: number } => {
    const { since, tookMs } = units.find((other) => other.name === name)!
    return { began: Date.parse(since) - (tookMs ?? 0), ended: Date.parse(since) }
  }
  const cluster = unit('cluster')
  // A cluster that is there already costs no child: then Postgres or Mathesar is the first.
  const firstChild = Math.min(
    cluster.ended - cluster.began > 20 ? cluster.began : Number.POSITIVE_INFINITY,
    unit('postgres').began,
    unit('mathesar').began,
  )
  return [
    Date.parse(supervisor.startedAt),
    firstChild,
    cluster.ended,
    unit('postgres').ended,
    unit('migrations').ended,
  ]
}

const mathesarsOwn = async (
  box: Box,
  lines: readonly Line[],
  since: number,
): Promise<readonly (number | undefined)[]> => {
  const pid1 = stamp(lines, 'PID 1')
  // Debian's pg_ctlcluster sends Postgres's words into a file, with its own times.
  const log = await box.sh('cat /var/log/postgresql/postgresql-17-mathesar.log')
  const of = (pattern: RegExp): number | undefined =>
    log
      .split('\n')
      .filter((line) => pattern.test(line))
      .map((line) => Date.parse(`${line.slice(0, 23).replace(' ', 'T')}Z`))
      .filter((at) => at >= since)
      .at(-1)
  return [
    pid1,
    pid1,
    of(/starting PostgreSQL/),
    of(/ready to accept connections/),
    last(lines, /Starting gunicorn webserver/),
  ]
}

const scripted = (lines: readonly Line[]): readonly (number | undefined)[] => {
  const pid1 = stamp(lines, 'PID 1')
  const child = stamp(lines, 'first child') ?? pid1
  return [
    pid1,
    child,
    last(lines, /bench: cluster made/) ?? child,
    first(lines, /ready to accept connections/),
    last(lines, /bench: migrated/),
  ]
}

const momentsOf = async (box: Box, since: number): Promise<readonly (number | undefined)[]> => {
  if (box.peer.name === 'ours') return await ours(box)
  const lines = linesSince(await box.logs(), since)
  return box.peer.name === 'mathesar' ? await mathesarsOwn(box, lines, since) : scripted(lines)
}

/**
 * The timeline of the boot that began at `since` and whose page answered at `answered`, both as `Date.now()`.
 */
export const readTimeline = async (box: Box, since: number, answered: number): Promise<Timeline> => {
  const moments = await momentsOf(box, since)
  let before = 0
  // What has no moment of its own takes no time; what went on side by side is counted once.
  return [...moments, answered].map(
    (moment) =>
      (before = Math.min(answered - since, Math.max(before, moment === undefined ? before : moment - since))),
  )
}
