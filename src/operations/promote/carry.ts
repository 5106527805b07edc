import { firstFew } from '../../core/message.ts'
import { SupervisorError } from '../../errors.ts'
import type { Client } from '../../system/ports.ts'
import { type Copied, readPromotion } from '../../units/promotion.ts'
import type { DatabaseUrl } from '../../settings/database-url.ts'
import { inGroups } from './ahead.ts'
import { endOthers, refuseWrites } from './close.ts'
import { applyKept, carrySequences, countTables, listMoving, readKept } from './databases.ts'
import { dump, load, readSchema, streamOf, streamOfTexts } from './dump.ts'
import { carryOwnSettings, readFinish } from './finish.ts'
import { type Frozen, whileFrozen } from './freeze.ts'
import { requireClosable } from './leaving.ts'
import { tellMathesar } from './mathesar.ts'
import { differencesOf, type Names, numbersOf, readNames } from './names.ts'
import { applyOwnership, readOwnership } from './owners.ts'
import { readMoving } from './passwords.ts'
import { applyRoles, readThere, type Roles } from './roles.ts'
import { restOf, rightsFor } from './shape.ts'
import { bringUpToDate } from './since.ts'
import { inSourceAsApp, type MoveScope } from './source.ts'
import { describeReferences, readConnected, translateStored } from './stored.ts'
import { inTarget } from './target.ts'

/**
 * The theory of the copy.
 *
 * Most of it is there already (`ahead.ts`). What is done here is done while Mathesar's requests wait and
 * locks keep everybody else from writing: so every dump, every count and every map of names is of one
 * state, and whatever the copy makes is the only thing that changes. The other server is in force only
 * after all of it is proved. A copy that replaces the database in force closes that first (`close.ts`).
 */
type Copy = {
  readonly scope: MoveScope
  readonly url: DatabaseUrl
  readonly roles: Roles
  readonly warn: (what: string) => void
}

const failure = (why: string): SupervisorError =>
  new SupervisorError('PROMOTE_FAILED', `cannot move to that server: ${why}`)

const requireEqualCounts = (
  name: string,
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): void => {
  const odd = [...before].filter(([table, rows]) => after.get(table) !== rows).map(([table]) => table)
  if (odd.length > 0)
    throw failure(`tables of ${name} have other numbers of rows there: ${odd.slice(0, 5).join(', ')}`)
}

/** What has to be the same as when the copy was made; the end of it is what is not there yet. */
const readRest = async (scope: MoveScope, copied: Copied, names: Names): Promise<string> => {
  const { name, shape } = copied
  const now = await readSchema(scope, name, names)
  if (now.shape !== shape)
    throw new SupervisorError(
      'PROMOTE_OVERTAKEN',
      `cannot move to that server: tables of ${name} were made or changed while it was copied`,
    )
  return restOf(now.sql, copied)
}

const hasLargeObjects = async (client: Client): Promise<boolean> =>
  (await client.query('SELECT FROM pg_largeobject_metadata LIMIT 1')).rowCount !== 0

/** The contents of views that have some, each after those that it is made of. */
const refreshViews = async (client: Client, there: Client): Promise<void> => {
  let { rows: left } = await client.query<{ name: string }>(
    `SELECT format('%I.%I', nspname, relname) AS name FROM pg_class c
      JOIN pg_namespace n ON n.oid = relnamespace
      WHERE relkind = 'm' AND relispopulated AND nspname !~ '^pg_' ORDER BY c.oid`,
  )
  while (left.length > 0) {
    const failed: { readonly name: string; readonly error: unknown }[] = []
    for (const { name } of left)
      await there
        .query(`REFRESH MATERIALIZED VIEW ${name}`)
        .catch((error: unknown) => failed.push({ name, error }))
    if (failed.length === left.length) throw failed[0]!.error
    left = failed
  }
}

type Moved = { readonly before: Names; readonly after: Names }

type Ready = {
  readonly frozen: Frozen
  readonly copied: Copied
  readonly before: Names
  readonly rest: string
}

/** Completes the copy of one database, and proves that it has the same tables, columns and rows. */
const complete = async (copy: Copy, { frozen, copied, before, rest }: Ready): Promise<Moved> => {
  const { scope, url, warn } = copy
  const { name, client } = frozen
  const roles = copy.roles.roles.map((role) => role.name)
  const ownership = await readOwnership(client, scope.source.role, roles)
  const kept = await readKept(client, roles)
  if (ownership.ofOthers.length > 0)
    warn(
      `the superuser as owner in ${name}, of ${firstFew(ownership.ofOthers, String).join(', ')}: ` +
        "Mathesar's role owns it there",
    )
  const counts = await bringUpToDate(scope, url, frozen, copied)
  if (await hasLargeObjects(client)) {
    // Of these alone: there is nothing in no schema.
    const only = ['--large-objects', '--section=data', '--exclude-schema=*']
    await load(scope, url, name, streamOf(dump(scope, name, only)))
  }
  const rights = await inTarget(scope, url, name, async (there) => {
    // Before there are policies, which hide rows.
    requireEqualCounts(name, counts, await countTables(there))
    return rightsFor(rest, await readThere(there))
  })
  if (rights.left.length > 0)
    warn(`rights in ${name} of roles that are not ours there: ${firstFew(rights.left, String).join('; ')}`)
  await load(scope, url, name, streamOfTexts(rights.sql))
  return await inTarget(scope, url, name, async (there) => {
    await carrySequences(client, there)
    await applyOwnership(there, ownership)
    await refreshViews(client, there) // As who owns them: they may call functions.
    await applyKept(there, name, kept, warn)
    const after = await readNames(there)
    const odd = differencesOf(before, after)
    if (odd.length > 0)
      throw failure(`tables of ${name} have other columns there: ${odd.slice(0, 5).join(', ')}`)
    return { before, after }
  })
}

/** What Mathesar keys by number, in its own tables there; and the proof that all of it leads to the same. */
const translate = async (
  { scope }: Copy,
  here: Client,
  there: Client,
  moved: ReadonlyMap<string, Moved>,
): Promise<void> => {
  await there.query('BEGIN')
  for (const { id, name } of await readConnected(here, scope.source)) {
    const names = moved.get(name)
    if (names === undefined) continue // Connected, and gone from the server since.
    await translateStored(there, id, numbersOf(names.before, names.after))
    const before = await describeReferences(here, id, names.before)
    const after = await describeReferences(there, id, names.after)
    if (JSON.stringify(before) !== JSON.stringify(after))
      throw failure(`what Mathesar keeps of ${name} would lead to other tables there`)
  }
  await there.query('COMMIT')
}

const carryRoles = async ({ scope, url, roles, warn }: Copy): Promise<void> =>
  await inTarget(scope, url, url.name, async (there) => {
    const { mark = '', knownPasswords = [] } = readPromotion(scope) ?? {}
    const { rows } = await there.query<{ major: number }>(
      "SELECT current_setting('server_version_num')::int / 10000 AS major",
    )
    await applyRoles(there, roles, { major: rows[0]!.major, mark, knownPasswords, warn })
  })

/** Each with its copy: one that was made since has none. */
const readReady = async (
  scope: MoveScope,
  frozen: readonly Frozen[],
  copies: readonly Copied[],
): Promise<readonly Ready[]> => {
  const ready: Ready[] = []
  await inGroups(frozen, async (each) => {
    const copied = copies.find(({ name }) => name === each.name)
    if (copied === undefined)
      throw new SupervisorError(
        'PROMOTE_OVERTAKEN',
        `cannot move to that server: the database ${each.name} was made while the others were copied`,
      )
    const before = await readNames(each.client)
    ready.push({ frozen: each, copied, before, rest: await readRest(scope, copied, before) })
  })
  return ready
}

type Carry = {
  readonly say: (what: string) => void
  /** How long writers may have to wait. */
  readonly seconds: number
  /** Whether the server takes no writes from now on: it is left. */
  readonly isLeft: boolean
}

const copyAll = async (scope: MoveScope, { say, isLeft }: Carry): Promise<readonly string[]> => {
  const { database } = scope.inForce
  const { mark, copies } = readPromotion(scope) ?? {}
  if (database.kind === 'embedded' || mark === undefined || copies === undefined)
    throw failure('nothing was prepared there')
  const warnings: string[] = []
  const warn = (what: string): void => void warnings.push(what)
  const names = await listMoving(scope)
  if (isLeft) {
    await requireClosable(scope, names) // A role may have got such a setting since.
    await refuseWrites(scope, names, await readFinish(scope, names))
  }
  await whileFrozen(scope, names, async (frozen) => {
    const ours = [...frozen, ...copies].map(({ pid }) => pid)
    if (isLeft) await endOthers(scope, names, ours)
    say('copying what was written since')
    const ready = await readReady(scope, frozen, copies)
    const roles = await readMoving(scope, frozen[0]!.client, names)
    const copy = { scope, url: database, roles, warn }
    await carryRoles(copy)
    const moved = new Map<string, Moved>()
    await inGroups(ready, async (each) => void moved.set(each.frozen.name, await complete(copy, each)))
    await inSourceAsApp(scope, (app) =>
      inTarget(scope, database, database.name, (there) => translate(copy, app, there, moved)),
    )
    // The last of all: they are in force for our own sessions, too.
    await inTarget(scope, database, database.name, (there) =>
      carryOwnSettings(scope, frozen[0]!.client, there, warn),
    )
    await tellMathesar(scope, warn)
  })
  return warnings
}

/**
 * Completes what was copied of the databases to the server that `inForce` names. Returns what could not be
 * carried.
 */
export const carry = async (scope: MoveScope, wanted: Carry): Promise<readonly string[]> => {
  const { seconds } = wanted
  const late = scope.system.clock.delay(seconds * 1000).then((): never => {
    throw new SupervisorError(
      'PROMOTE_FAILED',
      `cannot move to that server: the copy was not done within ${seconds} s, for which requests wait`,
      {
        hint:
          'The database of before is in force. At a quiet hour type it with `--within 600`: ' +
          'who comes after 30 s sees a page meanwhile, and goes on by itself.',
      },
    )
  })
  return await Promise.race([copyAll(scope, wanted), late])
}
