import { firstFew } from '../../core/message.ts'
import { SupervisorError } from '../../errors.ts'
import type { Client } from '../../system/ports.ts'
import { readPromotion } from '../../units/promotion.ts'
import { inRun } from '../../units/place.ts'
import { internalDatabase } from '../../units/postgres/connection.ts'
import { asMathesar, asSuperuserOf, libpqEnvironment } from '../../units/postgres/libpq.ts'
import type { DatabaseUrl } from '../../settings/database-url.ts'
import type { Bytes } from '../archive/bytes.ts'
import { outputOf, runToEnd } from '../programs.ts'
import type { OperationScope } from '../scope.ts'
import { applyKept, countTables, listMoving, readKept } from './databases.ts'
import { type Frozen, inSource, inSourceAsApp, whileFrozen } from './freeze.ts'
import { hasRows, keepGaps } from './gaps.ts'
import { tellMathesar } from './mathesar.ts'
import { differencesOf, type Names, numbersOf, readNames } from './names.ts'
import { applyOwnership, readOwnership } from './owners.ts'
import { applyRoles, readRoles } from './roles.ts'
import { describeReferences, readConnected, translateStored } from './stored.ts'
import { inTarget } from './target.ts'

/**
 * The theory of the copy.
 *
 * It runs while Mathesar's requests wait and locks keep everybody else from writing. So every dump, every
 * count and every map of names is of one state, and whatever the copy makes is the only thing that changes.
 * The other server is in force only after all of it is proved.
 */
type Copy = {
  readonly scope: OperationScope
  readonly url: DatabaseUrl
  readonly major: number
  readonly warn: (what: string) => void
}

const failure = (why: string): SupervisorError =>
  new SupervisorError('PROMOTE_FAILED', `cannot move to that server: ${why}`)

/** As SQL. Who owns what is said afterwards, and extensions are there. */
const dump = ({ scope }: Copy, name: string): Bytes => {
  const { place, results } = scope
  const options = [
    '--encoding=UTF8',
    '--quote-all-identifiers',
    '--no-owner',
    '--no-tablespaces',
    '--no-password',
  ] as const
  return outputOf(scope, {
    what: 'dump a database',
    command: {
      argv: ['pg_dump', '--format=plain', ...options],
      env: libpqEnvironment(place, asSuperuserOf(place.paths, results.secrets.superuserPassword, name)),
      user: place.identities.postgres,
      cwd: '/',
    },
    code: 'PROMOTE_FAILED',
  })
}

/** As Mathesar's user, who has that password anyway: whatever a dump holds can do no more than that. */
const load = ({ scope, url }: Copy, name: string, sql: Bytes): Promise<void> =>
  runToEnd(scope, {
    what: `fill the database ${name}`,
    command: {
      argv: [
        'psql',
        '--no-psqlrc',
        '--quiet',
        '--set=ON_ERROR_STOP=1',
        '--output=/dev/null',
        '--no-password',
      ],
      env: libpqEnvironment(scope.place, {
        ...asMathesar(scope.place.paths, { kind: 'external', ...url }),
        PGDATABASE: name,
      }),
      user: scope.place.identities.mathesar,
      cwd: '/',
    },
    input: sql,
    code: 'PROMOTE_FAILED',
  })

/** A comment that tells what follows is shorter. */
const overlapBytes = 1024

/** Changes what a dump says before the rows, which are many, come. */
async function* withSchema(bytes: Bytes, change: (sql: string) => string): AsyncGenerator<Buffer> {
  const pieces: Buffer[] = []
  let isSchema = true
  for await (const chunk of bytes) {
    const own = Buffer.from(chunk) // Its memory is used again.
    if (!isSchema) {
      yield own
      continue
    }
    const end = Buffer.concat([(pieces.at(-1) ?? own).subarray(-overlapBytes), own])
    pieces.push(own)
    if (!hasRows(end.toString('latin1'))) continue
    isSchema = false
    yield* changed(Buffer.concat(pieces), change)
  }
  if (isSchema) yield* changed(Buffer.concat(pieces), change)
}

/** Up to the last whole line: a letter may be cut in two. */
function* changed(sql: Buffer, change: (sql: string) => string): Generator<Buffer> {
  const end = sql.lastIndexOf('\n') + 1
  yield Buffer.from(change(sql.subarray(0, end).toString()))
  yield sql.subarray(end)
}

const requireEqualCounts = (
  name: string,
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): void => {
  const odd = [...before].filter(([table, rows]) => after.get(table) !== rows).map(([table]) => table)
  if (odd.length > 0)
    throw failure(`tables of ${name} have other numbers of rows there: ${odd.slice(0, 5).join(', ')}`)
}

/** Databases that are copied at the same time. */
const atOnce = 3

type Moved = { readonly before: Names; readonly after: Names }

/** Copies one database, and proves that it has the same tables, columns and rows. */
const move = async (copy: Copy, { name, client }: Frozen): Promise<Moved> => {
  const { scope, url, warn } = copy
  const before = await readNames(client)
  const [ownership, kept, counts] = [
    await readOwnership(client),
    await readKept(client),
    await countTables(client),
  ]
  if (ownership.ofSuperuser.length > 0)
    warn(
      `the superuser as owner in ${name}, of ${firstFew(ownership.ofSuperuser, String).join(', ')}: ` +
        "Mathesar's role owns it there",
    )
  await load(
    copy,
    name,
    withSchema(dump(copy, name), (sql) => keepGaps(sql, before.tables)),
  )
  return await inTarget(scope, url, name, async (there) => {
    await there.query('SET statement_timeout = 0') // Hosts have limits, and a count takes its time.
    await applyOwnership(there, ownership)
    await applyKept(there, name, kept, warn)
    const after = await readNames(there)
    const odd = differencesOf(before, after)
    if (odd.length > 0)
      throw failure(`tables of ${name} have other columns there: ${odd.slice(0, 5).join(', ')}`)
    requireEqualCounts(name, counts, await countTables(there))
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
  for (const { id, name } of await readConnected(here, inRun(scope.place.paths).postgresSocket)) {
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

const copyAll = async (scope: OperationScope, say: (what: string) => void): Promise<readonly string[]> => {
  const { database } = scope.inForce
  const mark = readPromotion(scope)?.mark
  if (database.kind === 'embedded' || mark === undefined) throw failure('nothing was prepared there')
  const warnings: string[] = []
  const warn = (what: string): void => void warnings.push(what)
  const names = await inSource(scope, internalDatabase, (client) => listMoving(client, internalDatabase))
  await whileFrozen(scope, names, async (frozen) => {
    const source = frozen[0]!.client
    const major = await inTarget(scope, database, internalDatabase, async (there) => {
      const { rows } = await there.query<{ major: number }>(
        "SELECT current_setting('server_version_num')::int / 10000 AS major",
      )
      const { major } = rows[0]!
      await applyRoles(there, await readRoles(source), { major, mark, warn })
      return major
    })
    const copy = { scope, url: database, major, warn }
    const moved = new Map<string, Moved>()
    for (let at = 0; at < frozen.length; at += atOnce) {
      const few = frozen.slice(at, at + atOnce)
      say(`copying ${few.map(({ name }) => name).join(', ')}`)
      await Promise.all(few.map(async (each) => moved.set(each.name, await move(copy, each))))
    }
    await inSourceAsApp(scope, (app) =>
      inTarget(scope, database, internalDatabase, (there) => translate(copy, app, there, moved)),
    )
    await tellMathesar(scope, warn)
  })
  return warnings
}

/**
 * Copies the embedded server's databases to the one that `inForce` names. Returns what could not be carried.
 */
export const carry = async (
  scope: OperationScope,
  { say, seconds }: { readonly say: (what: string) => void; readonly seconds: number },
): Promise<readonly string[]> => {
  const late = scope.system.clock.delay(seconds * 1000).then((): never => {
    throw new SupervisorError(
      'PROMOTE_FAILED',
      `cannot move to that server: the copy was not done within ${seconds} s, for which requests wait`,
      {
        hint:
          'The embedded Postgres is in force as before. At a quiet hour type it with `--within 600`: ' +
          'who comes after 30 s sees a page meanwhile, and goes on by itself.',
      },
    )
  })
  return await Promise.race([copyAll(scope, say), late])
}
