import { SupervisorError } from '../../errors.ts'
import { type DatabaseUrl, formatDatabaseUrl } from '../../settings/database-url.ts'
import { inVolume } from '../../units/place.ts'
import { appRole, internalDatabase } from '../../units/postgres/connection.ts'
import { letGo, readPromotion } from '../../units/promotion.ts'
import type { OperationScope } from '../scope.ts'
import { listMoving, readExtensions, readProofs } from './databases.ts'
import { withCopies } from './ahead.ts'
import { requireFree } from './free.ts'
import { inSource, inSourceAsApp } from './freeze.ts'
import { type Plan, prepareTarget, removeMarked, type Wanted } from './prepare.ts'
import { unknownIn } from './references.ts'
import { readRoles } from './roles.ts'
import { knowsServer, readColumns } from './stored.ts'
import { checkTarget, inTarget, nameOf, refuse, type Target } from './target.ts'

/**
 * The theory of a promotion.
 *
 * First everything is asked that could stand in its way, then the other server gets databases, marked as
 * ours, and a copy of all rows, while people go on working. The rest is a change of the settings: requests
 * wait, the copy gets what was written since and is proved, the settings name the other server. Up to that
 * moment the embedded Postgres is in force and untouched; whatever ends the move before leaves only what is
 * marked, and the next attempt removes that.
 */
type Talk = { readonly say: (text: string) => void }

const readWanted = async (scope: OperationScope): Promise<readonly Wanted[]> => {
  const names = await inSource(scope, internalDatabase, (client) => listMoving(client, internalDatabase))
  const wanted: Wanted[] = []
  for (const name of names) wanted.push({ name, extensions: await inSource(scope, name, readExtensions) })
  return wanted
}

/** A Mathesar that keeps more by number than is known here would lose it without a word. */
const requireKnown = async (scope: OperationScope): Promise<void> => {
  const unknown = unknownIn(await inSourceAsApp(scope, readColumns))
  if (unknown.length > 0)
    refuse(
      `this Mathesar keeps references that are not known here: ${unknown.slice(0, 5).join(', ')}`,
      'An image of a newer supervisor may know them. Nothing was changed.',
    )
}

/** Mathesar knows a server by host and port, and cannot have two of one. */
const requireNewServer = async (scope: OperationScope, { host, port }: DatabaseUrl): Promise<void> => {
  const isKnown = await inSourceAsApp(scope, (client) => knowsServer(client, host, port))
  if (isKnown)
    refuse(
      'Mathesar is connected to databases there already',
      'Disconnect them in Mathesar, promote, and connect them again; or take another server. Nothing was ' +
        'changed.',
    )
}

const newMark = (scope: OperationScope): string =>
  `moved here by supervisor promote ${scope.system.randomText(16, 'abcdefghijklmnopqrstuvwxyz0123456789')}`

/** Where people make tables all the time, the last attempt says so. */
const attempts = 2

type Move = Talk & {
  readonly plan: Plan
  readonly change: (url: string) => Promise<void>
}

/** What holds there already, and is proved of the rows that are there while people work. */
type ToProve = readonly { readonly name: string; readonly commands: readonly string[] }[]

/** Copies, and changes over. What people have made meanwhile needs another copy. */
const move = async (
  scope: OperationScope,
  target: Target,
  { plan, say, change }: Move,
  attempt = 1,
): Promise<{ readonly url: DatabaseUrl; readonly toProve: ToProve }> => {
  const prepared = await prepareTarget(scope, target, plan)
  for (const warning of attempt === 1 ? prepared.warnings : []) say(`not carried: ${warning}`)
  const { url } = prepared
  try {
    const names = plan.wanted.map(({ name }) => name)
    return await withCopies(scope, { ...target, url }, { names, say }, async () => {
      const toProve = []
      for (const name of names) toProve.push({ name, commands: await inSource(scope, name, readProofs) })
      await change(formatDatabaseUrl(url))
      return { url, toProve }
    })
  } catch (error) {
    // Best here; else at the next attempt.
    if (readPromotion(scope)?.mark === plan.mark)
      await removeMarked(scope, { url, from: target.url.name, mark: plan.mark }).catch(() => {})
    const isOvertaken = error instanceof SupervisorError && error.code === 'PROMOTE_OVERTAKEN'
    if (!isOvertaken || attempt === attempts) throw error
    say(`${error.message}: copying it again`)
  }
  return await move(
    scope,
    target,
    { plan: { ...plan, wanted: await readWanted(scope) }, say, change },
    attempt + 1,
  )
}

/** Moves the installation to another server. `change` makes the settings say so, and copies on the way. */
export const promote = async (
  scope: OperationScope,
  url: DatabaseUrl,
  {
    say,
    change,
    signal,
  }: Talk & {
    readonly change: (url: string) => Promise<void>
    readonly signal: AbortSignal
  },
): Promise<void> => {
  if (scope.inForce.database.kind === 'external')
    refuse('the database is external already', 'Type `supervisor status`.')
  const target = await checkTarget(scope, url, signal)
  await requireKnown(scope)
  await requireNewServer(scope, url)
  const wanted = await readWanted(scope)
  const { roles } = await inSource(scope, internalDatabase, readRoles)
  const begun = readPromotion(scope)
  const given = await requireFree(
    scope,
    target,
    { databases: wanted.map(({ name }) => name), roles: [appRole, ...roles.map(({ name }) => name)] },
    begun?.mark,
  )
  const what = `${wanted.length} databases and ${roles.length + 1} roles`
  say(`${nameOf(target)}, Postgres ${target.major}: preparing ${what}`)
  const mark = begun?.host === url.host && begun.port === url.port ? begun.mark : newMark(scope)
  const { url: mathesar, toProve } = await move(scope, target, { plan: { wanted, given, mark }, say, change })
  for (const { name, commands } of toProve)
    await inTarget(scope, mathesar, name, async (client) => {
      await client.query('SET statement_timeout = 0')
      for (const command of commands) await client.query(command).catch(() => say(`not carried: ${command}`))
    }).catch(() => {})
  say(
    `Mathesar works on ${nameOf(target)}. The embedded data stays in the volume as it was: ` +
      '`supervisor promote --back` returns to it.',
  )
}

/** Back to the embedded Postgres, which is as it was. */
export const returnBack = async (
  scope: OperationScope,
  { say, change }: Talk & { readonly change: () => Promise<void> },
): Promise<void> => {
  const { system, place, inForce } = scope
  if (inForce.database.kind === 'embedded')
    throw new SupervisorError('PROMOTE_REFUSED', 'cannot go back: the database is the embedded one')
  const { cluster } = inVolume(place.paths)
  if (!system.files.isThere(`${cluster}/PG_VERSION`))
    throw new SupervisorError('PROMOTE_REFUSED', `cannot go back: there is no data in ${cluster}`)
  letGo(scope)
  await change()
  say(
    `Mathesar works on the embedded Postgres again. What was written on the other ` +
      'server since the move stays there, and is not here.',
  )
}
