import { SupervisorError } from '../../errors.ts'
import type { Client } from '../../system/ports.ts'
import { installationIn, readManifest } from '../manifest.ts'
import { defineTask, type Scope } from '../unit.ts'
import { asSuperuserIn } from './connection.ts'
import { isAnswer, sentenceOf } from './failures.ts'
import { namesOf } from './rows.ts'

/**
 * The theory of collations.
 *
 * An index on text is sorted as a library of the image sorts (ICU or glibc). Another version of it may sort
 * otherwise: the index then finds rows no more, and a unique one lets doubles in. Postgres notes the version
 * with each database and each collation, and only warns. So a start compares: what a database sorts by in the
 * one query that it asks anyway, and the libraries with those that the manifest says. Where they differ, what
 * depends on them is rebuilt before anybody is served, and the new version is noted. What was cut off is done
 * again at the next start.
 */
const staleCollations = `
  SELECT oid FROM pg_collation
    WHERE collprovider IN ('i', 'c') AND collversion IS DISTINCT FROM pg_collation_actual_version(oid)
  UNION ALL SELECT oid FROM pg_collation
    WHERE collprovider = 'd' AND EXISTS (SELECT FROM pg_database WHERE datname = current_database()
      AND datcollversion IS DISTINCT FROM pg_database_collation_actual_version(pg_database.oid))`

/** An expression or a condition may compare in itself what the index does not keep. */
const staleIndexes = `
  WITH stale AS (${staleCollations})
  SELECT format('%I.%I', nspname, relname) AS name
    FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
      JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind = 'i' AND EXISTS (
      SELECT FROM stale
        WHERE stale.oid = ANY (indcollation) OR indexprs IS NOT NULL OR indpred IS NOT NULL)
    ORDER BY 1`

/** As Postgres itself notes the versions when a cluster is made. */
const noteVersions = `UPDATE pg_collation SET collversion = pg_collation_actual_version(oid)
  WHERE collprovider IN ('i', 'c') AND collversion IS DISTINCT FROM pg_collation_actual_version(oid)`

const refreshDatabase = `
  SELECT format('ALTER DATABASE %I REFRESH COLLATION VERSION', datname) AS command
    FROM pg_database WHERE datname = current_database()
      AND datcollversion IS DISTINCT FROM pg_database_collation_actual_version(oid)`

/** Rows that are equal now, most often. */
const refusalOf = (name: string, database: string, error: unknown): string =>
  `cannot rebuild index ${name} of database ${database}: ${sentenceOf(error)}. It may find too little: ` +
  `remove the rows that are there twice, and type \`REINDEX INDEX ${name}\` in that database`

const tellEveryMs = 10_000

/** Rebuilds one index after the other. Returns those that Postgres refuses to. */
const rebuild = async (
  { system: { clock, log }, report }: Scope<never>,
  client: Client,
  database: string,
  signal: AbortSignal,
): Promise<readonly string[]> => {
  const names = await namesOf(client, staleIndexes)
  const failed: string[] = []
  let toldMs = clock.now()
  for (const [index, name] of names.entries()) {
    signal.throwIfAborted()
    const where = `index ${index + 1} of ${names.length} in database ${database}`
    report(`rebuilds ${where}`)
    if (clock.now() - toldMs >= tellEveryMs) {
      log.say('info', `rebuilding ${where}`)
      toldMs = clock.now()
    }
    try {
      await client.query(`REINDEX INDEX ${name}`)
    } catch (error) {
      if (!isAnswer(error)) throw error
      failed.push(name)
      log.say('warn', refusalOf(name, database, error))
    }
  }
  const rebuilt = names.length - failed.length
  if (rebuilt > 0) log.say('info', `${rebuilt} indexes of database ${database} were rebuilt`)
  return failed
}

const refresh = async (
  scope: Scope<'secrets' | 'cluster'>,
  database: string,
  signal: AbortSignal,
): Promise<void> => {
  const { log } = scope.system
  try {
    await asSuperuserIn(scope, database, async (client) => {
      await client.query('SET statement_timeout = 0')
      const failed = await rebuild(scope, client, database, signal)
      if (failed.length > 0) return
      await client.query(noteVersions)
      const { rows } = await client.query<{ command: string }>(refreshDatabase)
      for (const { command } of rows) await client.query(command)
    })
  } catch (error) {
    if (error instanceof SupervisorError || !isAnswer(error)) throw error
    log.say('warn', `cannot look at the indexes of database ${database}: ${sentenceOf(error)}`)
  }
}

/** Rebuilds what is sorted by another version of a library than the image has. */
export const collations = defineTask({
  name: 'collations',
  needs: ['database', 'secrets', 'cluster'],
  description: 'rebuilds the indexes that another version of ICU or glibc has sorted',
  skip: ({ database }) => (database.kind === 'external' ? 'the database is external' : undefined),
  run: async (scope, signal) => {
    const { results, report, system } = scope
    const server = results.database
    if (server === undefined || results.cluster.isFresh) return undefined
    const served = installationIn(readManifest(scope)).servedBy.collation
    const isSame = served === server.collation
    const names = isSame ? server.stale : server.databases
    if (names.length === 0) return undefined
    if (!isSame && served !== undefined)
      system.log.say('info', `the libraries that sort text changed: ${served} → ${server.collation}`)
    for (const name of names) await refresh(scope, name, signal)
    report(null)
    return undefined
  },
})
