import type { Client } from '../../system/ports.ts'
import { writePromotion } from '../../units/promotion.ts'
import { emptyGiven, isGiven, isOurs, type Marked, takeGiven } from './given.ts'
import type { MoveScope } from './source.ts'
import { inTarget, ofMathesar, refuse, type Target } from './target.ts'
import { quoteText, quoteName } from '../../units/postgres/quoting.ts'
import { namesOf } from '../../units/postgres/rows.ts'

/** What a database needs of the other server before it is filled. */
export type Wanted = {
  readonly name: string
  readonly extensions: readonly { readonly name: string; readonly schema: string }[]
}

/** Mathesar's role: as the user of the URL, which need not be kept. */
const makeRole = async (client: Client, role: string, mark: string, verifier: string): Promise<void> => {
  const there = await client.query('SELECT FROM pg_catalog.pg_roles WHERE rolname = $1', [role])
  const name = quoteName(role)
  const command = there.rowCount === 1 ? 'ALTER' : 'CREATE'
  await client.query('BEGIN')
  if (command === 'ALTER') await client.query(`ALTER ROLE ${name} RESET ALL`) // Of an attempt before.
  await client.query(`${command} ROLE ${name} LOGIN CREATEDB CREATEROLE PASSWORD ${quoteText(verifier)}`)
  await client.query(`COMMENT ON ROLE ${name} IS ${quoteText(mark)}`)
  await client.query('COMMIT')
}

/** A database gets its mark and then its name: none is left that nobody knows. */
const unmarkedName = (mark: string): string => `promoted_${mark.split(' ').at(-1)}`

type Begun = {
  /** Of Mathesar's role there. */
  readonly url: Target['url']
  /** A database that stays. */
  readonly from: string
  readonly mark: string
}

/** What an attempt before has left in databases, which only its mark makes ours. */
export const removeMarked = async (scope: MoveScope, { url, from, mark }: Begun): Promise<void> => {
  const { rows } = await inTarget(scope, url, from, (client) =>
    client.query<Marked>(
      `SELECT datname AS name, pg_catalog.shobj_description(oid, 'pg_database') AS comment
        FROM pg_catalog.pg_database WHERE NOT datistemplate`,
    ),
  )
  for (const each of rows) {
    if (!isOurs(each, mark) && each.name !== unmarkedName(mark)) continue
    if (isGiven(each)) await inTarget(scope, url, each.name, emptyGiven)
    else
      await inTarget(scope, url, from, (client) =>
        client.query(`DROP DATABASE ${quoteName(each.name)} WITH (FORCE)`),
      )
  }
}

/** Says whether it sorts as ours does. */
const makeDatabase = async (client: Client, name: string, mark: string, major: number): Promise<boolean> => {
  const first = quoteName(unmarkedName(mark))
  const plain = `CREATE DATABASE ${first} TEMPLATE template0 ENCODING 'UTF8'`
  const isSorted =
    major >= 15 &&
    (await client.query(`${plain} LOCALE_PROVIDER icu ICU_LOCALE 'und'`).then(
      () => true,
      () => false, // Its host has taken that away.
    ))
  if (!isSorted) await client.query(plain)
  await client.query(`COMMENT ON DATABASE ${first} IS ${quoteText(mark)}`)
  await client.query(`ALTER DATABASE ${first} RENAME TO ${quoteName(name)}`)
  return isSorted
}

/** Some are at home in a schema of Postgres, which is there. */
export const commandsFor = ({ name, schema }: Wanted['extensions'][number]) => ({
  schema: schema.startsWith('pg_') ? undefined : `CREATE SCHEMA IF NOT EXISTS ${quoteName(schema)}`,
  extension: `CREATE EXTENSION IF NOT EXISTS ${quoteName(name)} SCHEMA ${quoteName(schema)}`,
})

/** As Mathesar's role, which may make those that are trusted; else as the user of the URL. */
const makeExtensions = async (
  scope: MoveScope,
  { url }: Target,
  mathesar: Target['url'],
  { name, extensions }: Wanted,
): Promise<void> => {
  for (const each of extensions) {
    const { schema, extension } = commandsFor(each)
    const run = (as: Target['url'], command: string) =>
      inTarget(scope, as, name, (client) => client.query(command))
    if (schema !== undefined) await run(mathesar, schema)
    await run(mathesar, extension).catch(() => run(url, extension))
  }
}

/** Until it is complete, nobody else makes anything there that Mathesar's role would call. */
const closeToOthers = async (client: Client, names: readonly string[]): Promise<void> => {
  for (const name of names) await client.query(`REVOKE CONNECT ON DATABASE ${quoteName(name)} FROM PUBLIC`)
}

const requireExtensions = async (
  scope: MoveScope,
  { url }: Target,
  wanted: readonly Wanted[],
): Promise<void> => {
  const names = [...new Set(wanted.flatMap(({ extensions }) => extensions.map(({ name }) => name)))]
  const available = await inTarget(scope, url, url.name, (client) =>
    namesOf(client, 'SELECT name FROM pg_catalog.pg_available_extensions WHERE name = ANY($1)', [names]),
  )
  const missing = names.filter((name) => !available.includes(name))
  if (missing.length > 0)
    refuse(
      `it does not have the extensions ${missing.join(', ')}`,
      'Have its host add them. Nothing was changed.',
    )
}

type Prepared = {
  /** How Mathesar connects there. */
  readonly url: Target['url']
  readonly warnings: readonly string[]
}

export type Plan = {
  readonly wanted: readonly Wanted[]
  /** Those that are there, and are not ours to make. */
  readonly given: readonly string[]
  readonly mark: string
}

/** Makes what the copy needs: Mathesar's role and empty databases, all marked. */
export const prepareTarget = async (
  scope: MoveScope,
  target: Target,
  { wanted, given, mark }: Plan,
): Promise<Prepared> => {
  await requireExtensions(scope, target, wanted)
  const { url, major } = target
  const mathesar = ofMathesar(scope.source, url, scope.system.randomText(40))
  scope.system.log.addSecret(mathesar.password)
  const { database } = scope.source
  const from =
    database.kind === 'embedded'
      ? {}
      : { from: { host: database.host, port: database.port, name: database.name } }
  writePromotion(scope, { mark, host: url.host, port: url.port, ...from })
  const { role } = scope.source
  if (url.user !== role) {
    const { scramVerifier } = await import('../../units/postgres/scram.ts')
    await inTarget(scope, url, url.name, (client) =>
      makeRole(client, role, mark, scramVerifier(mathesar.password!)),
    )
  }
  await removeMarked(scope, { url: mathesar, from: url.name, mark })
  const unsorted = await inTarget(scope, mathesar, url.name, async (client) => {
    const others: string[] = []
    for (const { name } of wanted) {
      const isSorted = given.includes(name)
        ? await takeGiven(client, name, { mark, major })
        : await makeDatabase(client, name, mark, major)
      if (!isSorted) others.push(name)
    }
    return others
  })
  for (const each of wanted) await makeExtensions(scope, target, mathesar, each)
  const made = wanted.map(({ name }) => name).filter((name) => !given.includes(name))
  await inTarget(scope, mathesar, url.name, (client) => closeToOthers(client, made))
  const warnings =
    unsorted.length === 0
      ? []
      : [`the order of texts in ${unsorted.join(', ')}: it is that of the server (ICU is not there)`]
  return { url: mathesar, warnings }
}
