import { parseAgo, parseMoment } from '../core/moment.ts'
import { SupervisorError } from '../errors.ts'
import { isServing, keepAwake } from '../http/client.ts'
import type { OperationScope } from '../operations/scope.ts'
import { listDestructions } from '../operations/undo/list.ts'
import type { Target } from '../operations/undo/recover.ts'
import { type Destruction, inWords, isMeant } from '../operations/undo/statements.ts'
import type { Usage } from './arguments.ts'
import { createProgress, tell } from './operation.ts'

/** How people say to which moment of the embedded database they want. */

export const utc = (ms: number): string => new Date(ms).toISOString().replace('T', ' ').replace(/Z$/, '')

const findStatement = async (scope: OperationScope, text: string): Promise<Target> => {
  const progress = createProgress(scope.system.clock)
  const isWanted = (each: Destruction): boolean => isMeant(text, each)
  const { found: all } = await listDestructions(scope, { isWanted, limit: 1, report: progress.report })
  progress.end()
  const [found] = all
  if (found !== undefined) {
    tell(`going back to just before: ${utc(found.atMs)} ${inWords(found)}`)
    return found
  }
  throw new SupervisorError('UNDO_REFUSED', `cannot go back: nothing in the log is "${text.slice(0, 100)}"`, {
    hint:
      '`supervisor undo list` has what there is, but not a table that was made and dropped within ten ' +
      'minutes: give the time for that. Nothing was changed.',
  })
}

/** In milliseconds since 1970. */
export const momentOf = (text: string, nowMs: number): number | undefined => {
  const agoMs = parseAgo(text)
  return agoMs === undefined ? parseMoment(text, nowMs) : nowMs - agoMs
}

/** A moment, how long ago it was, or what was destroyed just after it. */
export const findTarget = async (
  scope: OperationScope,
  { moment = '', before }: { readonly moment?: string | undefined; readonly before?: string | undefined },
  usage: Usage,
): Promise<Target> => {
  if (before !== undefined) return await findStatement(scope, before)
  const nowMs = scope.system.clock.now()
  const atMs = momentOf(moment, nowMs)
  if (atMs === undefined) return usage(`${moment} is neither like 10m nor like "2026-11-26 10:15"`)
  return atMs > nowMs ? usage(`${utc(atMs)} is not in the past`) : { atMs }
}

/** Refuses where there is no database of ours, or nobody who serves it, and wakes it. */
export const requireOwnDatabase = async ({ inForce }: OperationScope, usage: Usage): Promise<void> => {
  if (inForce.database.kind === 'external')
    usage('the database is external, and its host has backups of its own')
  if (!(await isServing())) usage('no supervisor runs here: type it in the container that serves')
  await keepAwake()
}
