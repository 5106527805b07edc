import type { Status } from '../core/status.ts'
import { renderTable } from '../core/table.ts'
import { ask, askJson } from '../http/client.ts'
import { undoRestore } from '../operations/restore.ts'
import { lockOperations, type OperationScope } from '../operations/scope.ts'
import { makeBase, noteNames } from '../operations/undo/bases.ts'
import { listDestructions } from '../operations/undo/list.ts'
import { undoTo } from '../operations/undo/recover.ts'
import { inWords } from '../operations/undo/statements.ts'
import { didYouMean } from '../settings/near-names.ts'
import type { Clock } from '../system/ports.ts'
import { logSince } from '../units/postgres/undo-log.ts'
import { isBaseDue, usableBases } from '../units/undo.ts'
import { parseArguments, type Usage, usageOf } from './arguments.ts'
import { findTarget, momentOf, requireOwnDatabase, utc } from './moment.ts'
import { createProgress, openOperation, tell, untilStopped } from './operation.ts'

const usage: Usage = usageOf('undo', 'undo')

/** The names of tables are noted every ten minutes. */
const unlisted =
  'A table that was made and dropped within ten minutes is not: `supervisor undo --to TIME` brings it back.'

/** How many lines a list has, and one of all. */
const listLimit = 30
const allLimit = 10_000
const readyLimitMs = 300_000

const list = async (scope: OperationScope, isAll: boolean, since: string | undefined): Promise<void> => {
  const { clock } = scope.system
  const sinceMs = since === undefined ? 0 : momentOf(since, clock.now())
  if (sinceMs === undefined) return usage(`${since} is neither like 10m nor like "2026-11-26 10:15"`)
  const progress = createProgress(clock)
  const { found, total } = await listDestructions(scope, {
    isWanted: ({ atMs }) => atMs >= sinceMs,
    limit: isAll ? allLimit : listLimit,
    report: progress.report,
  })
  progress.end()
  const from = usableBases(scope).at(-1)!.endMs
  process.stdout.write(`One can go back to any moment since ${utc(from)} (UTC).\n`)
  if (found.length === 0) process.stdout.write(`Nothing that is listed was dropped or deleted. ${unlisted}\n`)
  else {
    const rows = found.map((each) => [utc(each.atMs), inWords(each)])
    process.stdout.write(`${renderTable([['COMMITTED (UTC)', 'WHAT'], ...rows])}\n`)
  }
  if (found.length < total) tell(`${total - found.length} earlier ones${isAll ? '' : ': --all'}`)
}

const readStatus = (): Promise<Status> => askJson('GET', '/v1/status')

/** Has the container start over, and waits until it serves. Visitors see the steps meanwhile. */
export const startOverAndWait = async (clock: Pick<Clock, 'elapsed' | 'delay'>): Promise<void> => {
  const { supervisor } = await readStatus()
  await ask('POST', '/v1/start-over')
  for (const endMs = clock.elapsed() + readyLimitMs; clock.elapsed() < endMs; await clock.delay(300)) {
    const status = await readStatus().catch(() => undefined)
    if (status?.ready && status.supervisor.startedAt !== supervisor.startedAt)
      return tell('Mathesar is ready.')
  }
  tell('Mathesar is not ready yet: `supervisor status` says why.')
}

/** What the supervisor types: a base if one is due, and the names of tables. */
const keep = async (scope: OperationScope): Promise<void> => {
  const [newest] = usableBases(scope)
  const sinceBytes = newest && (await logSince(scope, newest))
  await noteNames(scope)
  if (isBaseDue(scope.inForce.settings.UNDO_SPACE, sinceBytes)) await makeBase(scope)
}

const options = {
  to: { type: 'string' },
  before: { type: 'string' },
  back: { type: 'boolean', default: false },
  all: { type: 'boolean', default: false },
  since: { type: 'string' },
  scheduled: { type: 'boolean', default: false },
} as const

type Values = { readonly [name in 'to' | 'before' | 'since']?: string | undefined }

const act = async (
  scope: OperationScope,
  first: string | undefined,
  { back, all, scheduled, to, before, since }: Values & Record<'back' | 'all' | 'scheduled', boolean>,
): Promise<void> => {
  if (first === 'list') return await list(scope, all, since)
  if (back) undoRestore(scope, false)
  else {
    lockOperations(scope)
    if (scheduled) return await keep(scope)
    const target = await findTarget(scope, { moment: first ?? to, before }, usage)
    const { lastChange, kept } = await undoTo(scope, target)
    const last =
      lastChange === null
        ? 'There was no change since its copy'
        : `The last change in it is of ${lastChange} UTC`
    tell(`It is proved to open. ${last}.`)
    tell(`What is undone is kept in ${kept}: \`supervisor undo --back\` brings it back.`)
  }
  tell('The container starts over with it now.')
  await startOverAndWait(scope.system.clock)
}

/** Brings the embedded database back to a moment. */
export const run = async (args: readonly string[]): Promise<number> => {
  const { positionals, values } = parseArguments(args, options, usage)
  const [first, ...more] = positionals
  const given = [first, values.to, values.before, values.back || undefined, values.scheduled || undefined]
  if (more.length > 0 || given.filter((each) => each !== undefined).length !== 1)
    return usage('say one of: 10m, --to TIME, --before STATEMENT, --back, list')
  const meant = didYouMean(first ?? '', ['list'])
  if (first !== 'list' && meant !== '') return usage(`there is no \`undo ${first}\`${meant}`)
  const scope = await openOperation()
  await requireOwnDatabase(scope, usage)
  await untilStopped(act(scope, first, values))
  return 0
}
