import { printable } from '../core/message.ts'
import { SupervisorError } from '../errors.ts'
import { ask, askJson, isServing, keepAwake } from '../http/client.ts'
import type { ShownConfig } from '../http/config.ts'
import { leftVariable } from '../daemon/carrying.ts'
import { carry } from '../operations/promote/carry.ts'
import { promote, finishLeft, returnBack } from '../operations/promote/promote.ts'
import { sourceOf } from '../operations/promote/source.ts'
import { requireNoneWaiting } from '../operations/incoming.ts'
import { lockOperations } from '../operations/scope.ts'
import { parseDatabaseUrl } from '../settings/database-url.ts'
import { databaseSettings, namesDatabase } from '../settings/table.ts'
import { environment } from '../system/environment.ts'
import { parseArguments, readSeconds, type Usage, usageOf } from './arguments.ts'
import { change as changeSettings } from './config.ts'
import { openOperation, tell, untilStopped } from './operation.ts'
import { findUrl, toServer } from './to-server.ts'

const usage: Usage = usageOf('promote', 'promote')

const options = {
  ...toServer,
  back: { type: 'boolean', default: false },
  copy: { type: 'boolean', default: false },
  finish: { type: 'boolean', default: false },
} as const

/** Runs within a change of the settings, which goes on once it has ended well. */
const copy = async (seconds: number): Promise<number> => {
  const scope = await openOperation()
  const left = environment[leftVariable]
  const database =
    left === undefined
      ? ({ kind: 'embedded' } as const)
      : ({ kind: 'external', ...parseDatabaseUrl(left) } as const)
  if (database.kind === 'external') scope.system.log.addSecret(database.password)
  const source = sourceOf(scope, database)
  const warnings = await untilStopped(carry({ ...scope, source }, { say: tell, seconds, isLeft: true }))
  for (const what of warnings) tell(`not carried: ${what}`)
  return 0
}

const isOfDatabase = (name: string): boolean =>
  name === 'DATABASE_URL' || databaseSettings.some((each) => each === name)

/** The lines of the file that name the database in force another way: they go with it. */
const readOthers = async (): Promise<Readonly<Record<string, null>>> => {
  const { settings } = await askJson<ShownConfig>('GET', '/v1/config')
  const given = settings.filter(({ name }) => isOfDatabase(name))
  const pinned = given.filter((each) => each.pinned && namesDatabase(each.name)).map(({ name }) => name)
  if (pinned.length > 0)
    throw new SupervisorError(
      'SETTING_PINNED',
      `cannot promote: the container was started with ${pinned.join(', ')} in its environment, which wins`,
      {
        hint:
          '`supervisor export --to …` copies everything to another server; then start the container with ' +
          'the settings that it prints.',
      },
    )
  return Object.fromEntries(given.filter(({ source }) => source === 'file').map(({ name }) => [name, null]))
}

/** What the copy said in a line of the log, which is of text or of JSON. */
const saidIn = (line: string): readonly string[] => {
  if (!line.startsWith('{')) return /^\S+ \S+ +promote +(.*)/.exec(line)?.slice(1) ?? []
  const { unit, msg } = JSON.parse(line) as { readonly unit: string; readonly msg: string }
  return unit === 'promote' ? msg.split('\n') : []
}

/** What the last copy of this log left out. */
export const notCarriedIn = (log: string): readonly string[] => {
  const lines = log.split('\n').flatMap(saidIn)
  const last = lines.findLastIndex((line) => line.startsWith('copying '))
  return lines.slice(last + 1).filter((line) => line.startsWith('not carried: '))
}

/** The copy runs in a process of its own, which says it in the log. */
const tellNotCarried = async (): Promise<void> => {
  const { text } = await ask('GET', '/v1/logs?lines=1000')
  for (const line of notCarriedIn(text)) tell(printable(line))
}

/** Moves to an external Postgres, from the embedded one or another, or back. */
export const run = async (args: readonly string[]): Promise<number> => {
  const { positionals, values } = parseArguments(args, options, usage)
  if (positionals.length > 0) return usage('there are too many arguments')
  if (values.copy) return await copy(readSeconds(values.within, usage))
  if (values.finish) {
    await untilStopped(finishLeft(await openOperation(), { say: tell }))
    return 0
  }
  const url = findUrl(values, usage, { back: values.back })
  const scope = await openOperation()
  if (!(await isServing()))
    throw new SupervisorError('DAEMON_UNREACHABLE', 'cannot promote: the supervisor does not run here', {
      hint: 'Start the container, and type it there: `docker exec -i CONTAINER supervisor promote …`.',
    })
  await keepAwake()
  const others = await readOthers()
  lockOperations(scope)
  requireNoneWaiting(scope, 'promote', 'PROMOTE_REFUSED')
  if (url === undefined) {
    const change = async (DATABASE_URL: string | null): Promise<void> =>
      void (await changeSettings({ set: { ...others, DATABASE_URL } }))
    await returnBack(scope, { say: tell, change })
    return 0
  }
  const carries = readSeconds(values.within, usage)
  scope.system.log.addSecret(url.password)
  const change = async (text: string): Promise<void> =>
    void (await changeSettings({ set: { ...others, DATABASE_URL: text }, carries }))
  const moving = { ...scope, source: sourceOf(scope, scope.inForce.database) }
  await untilStopped(promote(moving, url, { say: tell, change }))
  await tellNotCarried()
  return 0
}
