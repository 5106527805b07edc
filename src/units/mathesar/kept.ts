import { MiB } from '../../core/amounts.ts'
import { printable } from '../../core/message.ts'
import type { Client } from '../../system/ports.ts'
import { inVolume } from '../place.ts'
import { appRole, asSuperuser, embeddedAs, internalDatabase, withConnection } from '../postgres/connection.ts'
import { quoteName, quoteText } from '../postgres/quoting.ts'
import { namesOf } from '../postgres/rows.ts'
import { requireFreeBytes } from '../space.ts'
import type { Scope } from '../unit.ts'
import { compareMigrations, type Migration } from './applied.ts'
import { asData, asText, readSince, type Since } from './since.ts'

/** What stands beside the internal database as the comment of the one that is kept. */
type Note = {
  /** The Mathesar that it fits. */
  readonly version: string
  /** When it was put aside, in ISO 8601. */
  readonly at: string
  readonly applied: readonly Migration[]
}

/** An internal database of another version, which nobody can connect to. */
export type KeptDatabase = Note & { readonly name: string; readonly bytes: number }

/** The present one, once an older one takes its place. */
type Left = Pick<Note, 'version' | 'applied'> & { readonly database: string }

/** How many are kept; the oldest goes first. */
const keptLimit = 4
/** What Postgres and Mathesar need besides a copy. */
const reserveBytes = 64 * MiB
const noteLimit = 256 * 1024

const parseNote = (text: string | null): Note | undefined => {
  try {
    const { version, at, applied } = JSON.parse(text ?? '') as Record<string, unknown>
    const isNote = typeof version === 'string' && typeof at === 'string' && Array.isArray(applied)
    return isNote
      ? { version: printable(version), at: printable(at), applied: applied.map(String) }
      : undefined
  } catch {
    return undefined
  }
}

/** Those that are kept, the newest first. Only a superuser can have made one. */
export const listKept = async (client: Client): Promise<KeptDatabase[]> => {
  const { rows } = await client.query<{ name: string; note: string | null; bytes: string }>(
    `SELECT datname AS name, left(shobj_description(oid, 'pg_database'), ${noteLimit}) AS note,
        pg_database_size(oid) AS bytes
      FROM pg_database
      WHERE starts_with(datname, '${internalDatabase}_')
        AND (SELECT rolsuper FROM pg_roles WHERE oid = datdba)
      LIMIT 100`,
  )
  return rows
    .flatMap(({ name, note, bytes }) => {
      const parsed = parseNote(note)
      return parsed === undefined ? [] : [{ ...parsed, name, bytes: Number(bytes) }]
    })
    .toSorted((one, other) => other.at.localeCompare(one.at))
}

/** Names are at most 63 bytes long. */
const nameOf = (what: 'before' | 'of', version: string): string =>
  `${internalDatabase}_${what}_${version.replaceAll(/[^0-9A-Za-z.+-]/g, '-').slice(0, 30)}`

/** A copy is made, and a name is changed, only of a database that nobody is connected to. */
const endSessions = async (client: Client): Promise<void> => {
  await client.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${internalDatabase}'`,
  )
}

const requireSpace = async (scope: Scope<never>, client: Client): Promise<void> => {
  const { rows } = await client.query<{ bytes: string }>(
    `SELECT pg_database_size('${internalDatabase}') AS bytes`,
  )
  const needed = Number(rows[0]?.bytes ?? 0) + reserveBytes
  requireFreeBytes(scope, scope.place.paths.data, needed, {
    what: 'copy the internal database before its upgrade',
  })
}

/** What the present database is called once it is put aside. Earlier ones stay, with their lists. */
export const chooseName = (scope: Scope<'secrets' | 'cluster'>, version: string): Promise<string> =>
  asSuperuser(scope, async (client) => {
    const name = nameOf('of', version)
    const like = 'SELECT datname AS name FROM pg_database WHERE starts_with(datname, $1)'
    const taken = new Set(await namesOf(client, like, [name]))
    for (let count = 2, free = name; ; count++) {
      if (!taken.has(free)) return free
      free = `${name}.${count}`
    }
  })

/** The files that say in words and as data what a database has that the one in its place lacks. */
const sinceFiles = ({ place }: Scope<never>, database: string) => {
  const path = `${inVolume(place.paths).kept}/${database}`
  return { words: `${path}.txt`, data: `${path}.jsonl` }
}

/** All but the newest, and that which was kept just now, whatever the clock says. */
const removeOld = async (scope: Scope<never>, client: Client, own: string): Promise<void> => {
  const { system } = scope
  const others = (await listKept(client)).filter(({ name }) => name !== own)
  for (const { name } of others.slice(keptLimit - 1)) {
    await client.query(`DROP DATABASE ${quoteName(name)}`)
    for (const path of Object.values(sinceFiles(scope, name))) system.files.remove(path)
    system.log.say('info', `${name} is removed: ${keptLimit} newer ones are kept`)
  }
}

type Versions = { readonly from: string; readonly to: string }

/** Keeps the internal database as it is before an upgrade. */
export const keepBefore = async (
  scope: Scope<'secrets' | 'cluster'>,
  { from, to }: Versions,
  applied: readonly Migration[],
): Promise<void> =>
  asSuperuser(scope, async (client) => {
    const own = nameOf('before', to)
    const name = quoteName(own)
    const note: Note = { version: from, at: new Date(scope.system.clock.now()).toISOString(), applied }
    await client.query('SET statement_timeout = 0')
    await requireSpace(scope, client)
    await client.query(`DROP DATABASE IF EXISTS ${name}`)
    await endSessions(client)
    await client.query(`CREATE DATABASE ${name} TEMPLATE ${internalDatabase} ALLOW_CONNECTIONS false`)
    await client.query(`COMMENT ON DATABASE ${name} IS ${quoteText(JSON.stringify(note))}`)
    await removeOld(scope, client, own)
    scope.system.log.say('info', `the internal database before Mathesar ${to} is kept as ${name}`)
  })

/** The newest one that this image could go on with. */
export const findWayBack = (
  scope: Scope<'secrets' | 'cluster'>,
  image: readonly Migration[],
): Promise<KeptDatabase | undefined> =>
  asSuperuser(scope, async (client) => {
    const fits = ({ applied }: KeptDatabase): boolean => compareMigrations(image, applied).ahead.length === 0
    return (await listKept(client)).find(fits)
  })

/** Lets Mathesar's role alone look into a database that nobody connects to. */
const whileOpen = async <T>(client: Client, database: string, look: () => Promise<T>): Promise<T> => {
  await client.query(`ALTER DATABASE ${quoteName(database)} ALLOW_CONNECTIONS true`)
  try {
    return await look()
  } finally {
    await client.query(`ALTER DATABASE ${quoteName(database)} ALLOW_CONNECTIONS false`)
  }
}

/**
 * Writes down what the present database has that the kept one lacks. What cannot be written is said, and
 * keeps nobody from going back: the database is kept, too. Gives the path of the words.
 */
export const writeSince = async (
  scope: Scope<'secrets' | 'cluster'>,
  kept: KeptDatabase,
  { database, version }: Pick<Left, 'database' | 'version'>,
): Promise<string | undefined> => {
  const { system, place } = scope
  const files = sinceFiles(scope, database)
  const read = (client: Client): Promise<readonly Since[]> =>
    whileOpen(client, kept.name, () =>
      withConnection(scope, [embeddedAs(place, appRole, kept.name)], (before) =>
        withConnection(scope, [embeddedAs(place, appRole, internalDatabase)], (now) =>
          readSince(before, now),
        ),
      ),
    )
  try {
    const since = await asSuperuser(scope, read)
    const about = { version, database, at: kept.at, dataFile: files.data }
    system.files.makeFolder(inVolume(place.paths).kept, 0o700)
    system.files.writeWhole(files.data, asData(since), 0o600)
    system.files.writeWhole(files.words, asText(since, about), 0o600)
    return files.words
  } catch (error) {
    const why = system.log.redact((error as Error).message)
    system.log.say(
      'warn',
      `what was added since ${kept.at} is in ${database} alone: cannot write it down: ${why}`,
    )
    return undefined
  }
}

/**
 * A start of the newer image may have been cut off while it gave the connected databases its SQL: what the
 * kept database says of them is not believed.
 */
const distrust = (scope: Scope<'secrets' | 'cluster'>, client: Client, { name }: KeptDatabase) =>
  whileOpen(client, name, () =>
    withConnection(scope, [embeddedAs(scope.place, appRole, name)], async (kept) => {
      const { rowCount } = await kept.query(
        `SELECT FROM pg_catalog.pg_attribute WHERE attrelid = pg_catalog.to_regclass('mathesar_database')
          AND attname = 'last_confirmed_sql_version'`,
      )
      if (rowCount === 1)
        await kept.query("UPDATE mathesar_database SET last_confirmed_sql_version = '0.0.0'")
    }),
  )

/** Where the words of a database that was left are, if there are any. */
export const findSince = (scope: Scope<never>, { name }: KeptDatabase): string | undefined => {
  const { words } = sinceFiles(scope, name)
  return scope.system.files.isThere(words) ? words : undefined
}

/**
 * Puts the kept database in the place of the present one, which is kept in turn. In one transaction: whatever
 * cuts it off, one of the two is whole in its place.
 */
export const goBackTo = async (
  scope: Scope<'secrets' | 'cluster'>,
  kept: KeptDatabase,
  { database, version, applied }: Left,
): Promise<void> =>
  asSuperuser(scope, async (client) => {
    const [before, left] = [quoteName(kept.name), quoteName(database)]
    const note: Note = { version, at: new Date(scope.system.clock.now()).toISOString(), applied }
    await distrust(scope, client, kept)
    await endSessions(client)
    await client.query('BEGIN')
    await client.query(`ALTER DATABASE ${internalDatabase} RENAME TO ${left}`)
    await client.query(`ALTER DATABASE ${left} OWNER TO postgres`)
    await client.query(`ALTER DATABASE ${left} ALLOW_CONNECTIONS false`)
    await client.query(`COMMENT ON DATABASE ${left} IS ${quoteText(JSON.stringify(note))}`)
    await client.query(`ALTER DATABASE ${before} RENAME TO ${internalDatabase}`)
    await client.query(`ALTER DATABASE ${internalDatabase} OWNER TO ${appRole}`)
    await client.query(`ALTER DATABASE ${internalDatabase} ALLOW_CONNECTIONS true`)
    await client.query(`COMMENT ON DATABASE ${internalDatabase} IS NULL`)
    await client.query('COMMIT')
    await removeOld(scope, client, database)
  })
