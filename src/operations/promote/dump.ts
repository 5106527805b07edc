import { createHash } from 'node:crypto'
import type { DatabaseUrl } from '../../settings/database-url.ts'
import { readPromotion } from '../../units/promotion.ts'
import { asMathesar, libpqEnvironment } from '../../units/postgres/libpq.ts'
import { type Bytes, textOf } from '../archive/bytes.ts'
import { outputOf, runToEnd } from '../programs.ts'
import type { OperationScope } from '../scope.ts'
import type { Names } from './names.ts'
import { forOlder } from './shape.ts'
import { endLimits, type MoveScope, programInSource } from './source.ts'

/** Postgres's own programs, which read from one server and write to the other. */

const code = 'PROMOTE_FAILED'

/** As SQL. Who owns what is said afterwards, and extensions are there. */
export const dump = (scope: MoveScope, database: string, options: readonly string[]): Bytes => {
  const fixed = [
    '--format=plain',
    '--encoding=UTF8',
    '--quote-all-identifiers',
    '--no-owner',
    '--no-tablespaces',
    '--no-password',
    // The same each time, so that two dumps can be compared; nobody who writes to a database knows it.
    `--restrict-key=${readPromotion(scope)?.mark.split(' ').at(-1) ?? ''}`,
  ] as const
  return outputOf(scope, {
    what: 'dump a database',
    command: { argv: ['pg_dump', ...fixed, ...options], ...programInSource(scope, database) },
    code,
  })
}

/** The whole of a dump, for a server that may be older. */
export const sqlOf = async (bytes: Bytes): Promise<string> => forOlder(await textOf(bytes))

/** The dump of a schema, and a hash of it with the columns by number: those that are gone are in no dump. */
export const readSchema = async (
  scope: MoveScope,
  database: string,
  { tables }: Names,
  options: readonly string[] = [],
) => {
  const sql = await sqlOf(dump(scope, database, ['--schema-only', ...options]))
  const numbers = JSON.stringify(tables.map(({ schema, name, columns }) => [schema, name, columns]))
  return { sql, shape: createHash('sha256').update(sql).update(numbers).digest('hex') }
}

/** The settings at the beginning are in what comes first. */
const headBytes = 4096

/** A dump for a server that may be older. */
export async function* streamOf(bytes: Bytes): AsyncGenerator<Buffer> {
  let head: Buffer | undefined = Buffer.alloc(0)
  for await (const chunk of bytes) {
    const own = Buffer.from(chunk) // Its memory is used again.
    if (head === undefined) {
      yield own
      continue
    }
    head = Buffer.concat([head, own])
    if (head.length < headBytes) continue
    yield Buffer.from(forOlder(head.toString('latin1')), 'latin1')
    head = undefined
  }
  if (head !== undefined) yield Buffer.from(forOlder(head.toString('latin1')), 'latin1')
}

const psql = ['psql', '--no-psqlrc', '--quiet', '--set=ON_ERROR_STOP=1', '--no-password'] as const

/** Before whatever it is told. */
const start = ['\\o /dev/null', endLimits, '\\o'] as const

/** What commands write, run in the server that is left. */
export const outputFrom = (scope: MoveScope, database: string, commands: readonly string[]): Bytes =>
  outputOf(scope, {
    what: 'read from a database',
    command: {
      argv: [...psql, ...[...start, ...commands].map((command) => `--command=${command}`)],
      ...programInSource(scope, database),
    },
    code,
  })

async function* unlimited(sql: Bytes): AsyncGenerator<Buffer> {
  yield Buffer.from(`${endLimits};\n`)
  yield* sql
}

/** As Mathesar's user, who has that password anyway: whatever a dump holds can do no more than that. */
export const load = (scope: OperationScope, url: DatabaseUrl, database: string, sql: Bytes): Promise<void> =>
  runToEnd(scope, {
    what: `fill the database ${database}`,
    command: {
      argv: [...psql, '--output=/dev/null'],
      env: libpqEnvironment(scope.place, {
        ...asMathesar(scope.place.paths, { kind: 'external', ...url }),
        PGDATABASE: database,
      }),
      user: scope.place.identities.mathesar,
      cwd: '/',
    },
    input: unlimited(sql),
    code,
  })

export async function* streamOfTexts(...texts: readonly string[]): AsyncGenerator<Buffer> {
  for (const text of texts) yield Buffer.from(text)
}
