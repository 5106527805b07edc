import { SupervisorError } from '../../errors.ts'
import { type DatabaseUrl, formatDatabaseUrl, parseDatabaseUrl } from '../../settings/database-url.ts'
import { type Left, leftFor, rememberLeft } from '../../units/left.ts'
import { inVolume } from '../../units/place.ts'
import { forgetPromotion, readPromotion } from '../../units/promotion.ts'
import { isBroken } from '../../units/postgres/failures.ts'
import type { OperationScope } from '../scope.ts'
import { listMoving, readExtensions } from './databases.ts'
import { withCopies } from './ahead.ts'
import { readComments } from './finish.ts'
import { requireFree } from './free.ts'
import { newMark } from './given.ts'
import { type Plan, prepareTarget, removeMarked, type Wanted } from './prepare.ts'
import { unknownIn } from './references.ts'
import { readMoving } from './passwords.ts'
import { inSource, inSourceAsApp, type MoveScope } from './source.ts'
import { checkSource, requireDirect } from './leaving.ts'
import { knowsServer, readColumns } from './stored.ts'
import { checkTarget, inTarget, refuse, serverInWords, type Target } from './target.ts'

/**
 * The theory of a promotion.
 *
 * First everything is asked that could stand in its way, then the other server gets databases, marked as
 * ours, and a copy of all rows, while people go on working. The rest is a change of the settings: requests
 * wait, the copy gets what was written since and is proved, the settings name the other server. Up to that
 * moment the server of before is in force and untouched; whatever ends the move before leaves only what is
 * marked, and the next attempt removes that. An export is the same without the change.
 */
type Talk = { readonly say: (text: string) => void }

const readWanted = async (scope: MoveScope): Promise<readonly Wanted[]> => {
  const wanted: Wanted[] = []
  for (const name of await listMoving(scope))
    wanted.push({ name, extensions: await inSource(scope, name, readExtensions) })
  return wanted
}

/** A Mathesar that keeps more by number than is known here would lose it without a word. */
const requireKnown = async (scope: MoveScope): Promise<void> => {
  const unknown = unknownIn(await inSourceAsApp(scope, readColumns))
  if (unknown.length > 0)
    refuse(
      `this Mathesar keeps references that are not known here: ${unknown.slice(0, 5).join(', ')}`,
      'An image of a newer supervisor may know them. Nothing was changed.',
    )
}

/** Mathesar knows a server by host and port, and cannot have two of one. */
const requireNewServer = async (scope: MoveScope, { host, port }: DatabaseUrl): Promise<void> => {
  if (host === scope.source.host && port === scope.source.port)
    refuse('Mathesar works on it already', 'Give the URL of another one. Nothing was changed.')
  const isKnown = await inSourceAsApp(scope, (client) => knowsServer(client, host, port))
  if (isKnown)
    refuse(
      'Mathesar is connected to databases there already',
      'Disconnect them in Mathesar, promote, and connect them again; or take another server. Nothing was ' +
        'changed.',
    )
}

/** Where people make tables all the time, the last attempt says so. */
const attempts = 2

type Move = Talk & {
  readonly plan: Plan
  /** Completes the copy at that server, and has it in force, if that is wanted. */
  readonly complete: (url: DatabaseUrl) => Promise<void>
}

/** Copies, and completes. What people have made meanwhile needs another copy. Returns the way there. */
const move = async (
  scope: MoveScope,
  target: Target,
  { plan, say, complete }: Move,
  attempt = 1,
): Promise<DatabaseUrl> => {
  const prepared = await prepareTarget(scope, target, plan)
  for (const warning of attempt === 1 ? prepared.warnings : []) say(`not carried: ${warning}`)
  const { url } = prepared
  try {
    const names = plan.wanted.map(({ name }) => name)
    await withCopies(scope, { ...target, url }, { names, say }, () => complete(url))
    return url
  } catch (error) {
    // Best here; else at the next attempt.
    if (readPromotion(scope)?.mark === plan.mark)
      await removeMarked(scope, { url, from: target.url.name, mark: plan.mark }).catch(() => {})
    const isOvertaken = error instanceof SupervisorError && error.code === 'PROMOTE_OVERTAKEN'
    if (!isOvertaken || attempt === attempts) throw error
    say(`${error.message}: copying it again`)
  }
  const again = { ...plan, wanted: await readWanted(scope) }
  return await move(scope, target, { plan: again, say, complete }, attempt + 1)
}

type Wish = Talk &
  Pick<Move, 'complete'> & {
    /** Whether the server of before takes no writes afterwards. */
    readonly isLeft: boolean
  }

type Arrived = {
  /** The way there. */
  readonly there: DatabaseUrl
  /** Takes the mark from Mathesar's role there, which may not do so itself. */
  readonly unmark: () => Promise<void>
}

/** Checks that everything can be copied to another server, and does it. */
export const copyTo = async (
  scope: MoveScope,
  url: DatabaseUrl,
  { say, complete, isLeft }: Wish,
): Promise<Arrived> => {
  const { source } = scope
  const target = await checkTarget(scope, url)
  await requireDirect(scope)
  await requireKnown(scope)
  await requireNewServer(scope, url)
  const wanted = await readWanted(scope)
  const databases = wanted.map(({ name }) => name)
  for (const name of await checkSource(scope, databases, isLeft))
    say(`not carried: the database ${name}, which Mathesar is not connected to`)
  const { roles } = await inSource(scope, source.internal, (client) => readMoving(scope, client, databases))
  const begun = readPromotion(scope)
  // Of the attempt before, also by another name of its server, whatever that has left is ours.
  const mark = begun?.mark ?? newMark(scope)
  const needed = { databases, roles: [source.role, ...roles.map(({ name }) => name)] }
  const given = await requireFree(scope, target, needed, mark)
  const what = `${wanted.length} databases, ${roles.length + 1} ${roles.length === 0 ? 'role' : 'roles'}`
  say(`${serverInWords(url)}, Postgres ${target.major}: preparing ${what}`)
  const comments =
    url.user === source.role
      ? []
      : await inSource(scope, source.internal, (client) => readComments(client, [source.role]))
  const there = await move(scope, target, { plan: { wanted, given, mark }, say, complete })
  const unmark = (): Promise<void> =>
    inTarget(scope, url, url.name, async (client) => {
      for (const command of comments) await client.query(command)
    }).catch(() => say(`not carried: the comment of role ${source.role}`))
  return { there, unmark }
}

/** Does there what comes last: most of it proves foreign keys, which hold already for whatever is written. */
export const finish = async (
  scope: OperationScope,
  { url, toFinish }: Pick<Left, 'toFinish'> & { readonly url: DatabaseUrl },
  { say }: Talk,
): Promise<void> => {
  for (const { name, commands } of toFinish)
    await inTarget(scope, url, name, async (client) => {
      for (const command of commands)
        await client.query(command).catch((error: unknown) => {
          if (isBroken(error)) throw error // It says nothing of what is proved.
          say(`not carried: ${command}`)
        })
    })
}

/** Does there what the last move has left to do. Whatever ends it, the next start goes on. */
export const finishLeft = async (scope: OperationScope, { say }: Talk): Promise<void> => {
  const { database } = scope.inForce
  const left = leftFor(scope, database)
  if (left === undefined || database.kind === 'embedded') return
  await finish(scope, { url: database, toFinish: left.toFinish }, { say })
  rememberLeft(scope, { ...left, toFinish: [] })
}

/** Moves the installation to another server. `change` makes the settings say so, and completes the copy. */
export const promote = async (
  scope: MoveScope,
  url: DatabaseUrl,
  { say, change }: Talk & { readonly change: (url: string) => Promise<void> },
): Promise<void> => {
  const complete = (to: DatabaseUrl): Promise<void> => change(formatDatabaseUrl(to))
  const { there, unmark } = await copyTo(scope, url, { say, complete, isLeft: true })
  await unmark()
  const inForce = { ...scope.inForce, database: { kind: 'external', ...there } } as const
  await finishLeft({ ...scope, inForce }, { say }).catch(() => {})
  const stays =
    scope.source.database.kind === 'embedded'
      ? 'The embedded data stays in the volume as it was'
      : 'The data of the other one stays there as it was, and takes no writes'
  say(`Mathesar works on ${serverInWords(url)}. ${stays}: \`supervisor promote --back\` returns to it.`)
  if (scope.source.database.kind === 'embedded')
    say('Have that server backed up: the nightly backup here ends. Keep the volume: the secret key is in it.')
}

/** Back to the server of before, which is as it was. */
export const returnBack = async (
  scope: OperationScope,
  { say, change }: Talk & { readonly change: (url: string | null) => Promise<void> },
): Promise<void> => {
  const { system, place, inForce } = scope
  if (inForce.database.kind === 'embedded')
    throw new SupervisorError('PROMOTE_REFUSED', 'cannot go back: the database is the embedded one')
  const url = leftFor(scope, inForce.database)?.url ?? null
  const { cluster } = inVolume(place.paths)
  if (url === null && !system.files.isThere(`${cluster}/PG_VERSION`))
    throw new SupervisorError('PROMOTE_REFUSED', `cannot go back: there is no data in ${cluster}`)
  if (url !== null) system.log.addSecret(parseDatabaseUrl(url).password)
  forgetPromotion(scope)
  await change(url)
  say(
    `Mathesar works on ${url === null ? 'the embedded Postgres' : serverInWords(parseDatabaseUrl(url))} ` +
      'again. What was written on the other server since the move stays there, and is not here.',
  )
}
