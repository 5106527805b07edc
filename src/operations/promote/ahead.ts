import { SupervisorError } from '../../errors.ts'
import type { DatabaseUrl } from '../../settings/database-url.ts'
import { type Copied, readPromotion, writePromotion } from '../../units/promotion.ts'
import { dump, load, readSchema, sqlOf, streamOf, streamOfTexts } from './dump.ts'
import { type Held, whileHeld } from './freeze.ts'
import { keepGaps } from './gaps.ts'
import { readNames } from './names.ts'
import { applyRoles } from './roles.ts'
import { readMoving, withStored } from './passwords.ts'
import { divideDump } from './shape.ts'
import { fileOf, readTables } from './since.ts'
import type { MoveScope } from './source.ts'
import { inTarget, type Target } from './target.ts'

/**
 * The copy ahead: all rows, keys and indexes, while Mathesar serves and people write. It is of one moment of
 * each database, which stays readable until the other server is in force.
 */

/** Databases that are copied at the same time. */
const atOnce = 3

export const inGroups = async <T>(all: readonly T[], act: (each: T) => Promise<void>): Promise<void> => {
  for (let at = 0; at < all.length; at += atOnce) await Promise.all(all.slice(at, at + atOnce).map(act))
}

const copyOne = async (scope: MoveScope, url: DatabaseUrl, held: Held): Promise<Copied> => {
  const { name, client, snapshot, oldest, pid } = held
  const asThen = `--snapshot=${snapshot}`
  const names = await readNames(client)
  const files = (await readTables(client)).map((table) => [table.name, fileOf(table)] as const)
  const pre = await sqlOf(dump(scope, name, ['--section=pre-data', '--no-acl', asThen]))
  const { sql, shape } = await readSchema(scope, name, names, [asThen])
  const parts = divideDump(pre, sql)
  if (parts === undefined)
    throw new SupervisorError(
      'PROMOTE_OVERTAKEN',
      `cannot move to that server: tables of ${name} were changed while they were read`,
    )
  await load(scope, url, name, streamOfTexts(keepGaps(parts.tables, names.tables)))
  // Tables of an extension may be another role's there.
  const rows = ['--section=data', '--no-large-objects', '--exclude-extension=*', asThen]
  await load(scope, url, name, streamOf(dump(scope, name, rows)))
  await load(scope, url, name, streamOfTexts(parts.head, parts.keys))
  // So that counts are fast, and no autovacuum is at work then.
  await inTarget(scope, url, name, (there) => there.query('VACUUM (ANALYZE)'))
  const { keysAt, restAt } = parts
  return { name, snapshot, oldest, pid, shape, keysAt, restAt, files: Object.fromEntries(files) }
}

/** Copies the databases as they are now, and acts while it can be told what is written since. */
export const withCopies = async <T>(
  scope: MoveScope,
  { url, major }: Target,
  { names, say }: { readonly names: readonly string[]; readonly say: (text: string) => void },
  act: () => Promise<T>,
): Promise<T> =>
  await whileHeld(scope, names, async (held) => {
    const promotion = readPromotion(scope)!
    const moving = await readMoving(scope, held[0]!.client, names)
    const { roles, knownPasswords } = await withStored(scope, moving)
    await inTarget(scope, url, names[0]!, (there) =>
      applyRoles(there, roles, { major, mark: promotion.mark, knownPasswords, warn: () => {} }),
    )
    const copies: Copied[] = []
    await inGroups(held, async (each) => {
      say(`copying ${each.name}; Mathesar serves`)
      copies.push(await copyOne(scope, url, each))
    })
    writePromotion(scope, { ...promotion, knownPasswords, copies })
    return await act()
  })
