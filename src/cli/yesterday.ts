import { minuteOf, parseAgo } from '../core/moment.ts'
import type { Status } from '../core/status.ts'
import { SupervisorError } from '../errors.ts'
import { ask, askJson } from '../http/client.ts'
import { longestSeconds } from '../http/past.ts'
import { lockOperations, type OperationScope } from '../operations/scope.ts'
import { recoverPast } from '../operations/undo/past.ts'
import type { Target } from '../operations/undo/recover.ts'
import { inRun, inVolume } from '../units/place.ts'
import { parseArguments, type Usage, usageOf } from './arguments.ts'
import { findTarget, requireOwnDatabase } from './moment.ts'
import { openOperation, tell, untilStopped } from './operation.ts'

const usage: Usage = usageOf('yesterday', 'serve yesterday')

const options = {
  before: { type: 'string' },
  for: { type: 'string', default: '1h' },
  end: { type: 'boolean', default: false },
} as const

const readSeconds = (text: string): number => {
  const seconds = (parseAgo(text) ?? 0) / 1000
  return seconds > 0 && seconds <= longestSeconds ? seconds : usage(`--for ${text} is not like 30m or 2h`)
}

/** Before the copy is made, which takes its time. */
const requireNone = async (): Promise<void> => {
  const { undo } = await askJson<Status>('GET', '/v1/status')
  if (!undo?.serves) return
  throw new SupervisorError(
    'UNDO_REFUSED',
    `cannot serve another moment: ${minuteOf(undo.serves.at)} UTC is served`,
    { hint: 'End it first: `supervisor yesterday --end`.' },
  )
}

const serve = async (scope: OperationScope, target: Target, seconds: number): Promise<void> => {
  const { system, place } = scope
  await recoverPast(scope, target)
  const at = new Date(target.atMs).toISOString()
  await ask('POST', '/v1/past', { at, seconds }).catch((error: unknown) => {
    system.files.remove(inVolume(place.paths).past)
    throw error
  })
  const until = minuteOf(system.clock.now() + seconds * 1000)
  tell(`Mathesar shows each database once more, as "NAME, ${minuteOf(at)} UTC", until ${until} UTC.`)
  tell('Nobody can change anything in it. Copy rows there, and paste them into the table of today.')
  tell(`With psql: \`supervisor psql -h ${inRun(place.paths).pastSocket} -d NAME\`.`)
  tell('`supervisor yesterday --end` ends it before.')
}

/** Serves the embedded database as it was, beside that of today. */
export const run = async (args: readonly string[]): Promise<number> => {
  const { positionals, values } = parseArguments(args, options, usage)
  const [moment, ...more] = positionals
  const given = [moment, values.before, values.end || undefined].filter((each) => each !== undefined)
  if (more.length > 0 || given.length !== 1) return usage('say one of: 10:15, 10m, --before STATEMENT, --end')
  const seconds = readSeconds(values.for)
  const scope = await openOperation()
  await requireOwnDatabase(scope, usage)
  if (values.end) {
    await ask('POST', '/v1/past/end')
    return 0
  }
  lockOperations(scope)
  await requireNone()
  const act = async (): Promise<void> =>
    await serve(scope, await findTarget(scope, { moment, before: values.before }, usage), seconds)
  await untilStopped(act())
  return 0
}
