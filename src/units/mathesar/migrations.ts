import type { Client } from '../../system/ports.ts'
import { firstFew } from '../../core/message.ts'
import { SupervisorError } from '../../errors.ts'
import type { InForce } from '../../settings/configuration.ts'
import { internalDatabase, inTransaction, withDatabase } from '../postgres/connection.ts'
import { readAppVersion, readServedVersion } from '../manifest.ts'
import { persistSecret, secretPath } from '../secret-files.ts'
import { defineTask, type Scope } from '../unit.ts'
import {
  compareMigrations,
  type Internal,
  type Migration,
  readImageMigrations,
  readInternal,
} from './applied.ts'
import { dumpBefore } from './dump-before.ts'
import { chooseName, findWayBack, goBackTo, keepBefore, type KeptDatabase, writeSince } from './kept.ts'
import { isKeyOf, keyNoteOf } from './key-check.ts'
import { migrate } from './migrate.ts'

/** An arbitrary number that all supervisors share: "math" in ASCII. */
const lockKey = 0x6d617468

type Known = {
  readonly image: ReturnType<typeof readImageMigrations>
  /** The Mathesar of the image, and the one that served last. */
  readonly to: string
  readonly from: string
}

/** How the internal database compares with the image. */
type Found = Internal &
  (
    | { readonly kind: 'current' }
    | { readonly kind: 'behind'; readonly missing: readonly Migration[] }
    | { readonly kind: 'ahead'; readonly ahead: readonly Migration[] }
  )

const compare = ({ image }: Known, internal: Internal): Found => {
  if (image === undefined) return { ...internal, kind: 'behind', applied: [], missing: [] }
  const { applied } = internal
  const { missing, ahead } = compareMigrations(image, applied)
  if (ahead.length > 0) return { ...internal, kind: 'ahead', ahead }
  return missing.length > 0 ? { ...internal, kind: 'behind', missing } : { ...internal, kind: 'current' }
}

/** Has the database say which key it was made with, if it does not yet. */
const noteKey = async (
  { system, results: { secrets } }: Scope<'secrets'>,
  client: Client,
  { note, isOwner }: Internal,
): Promise<void> => {
  if (!isOwner || isKeyOf(secrets.secretKey, note) === true) return
  const text = keyNoteOf(secrets.secretKey, system.randomText(20))
  await client.query(`COMMENT ON TABLE django_migrations IS '${text}'`)
}

const otherKeyError = ({
  place,
  results,
  inForce: { database, values },
}: Scope<'secrets'>): SupervisorError => {
  const where = database.kind === 'external' ? ` (${database.host}, ${database.name})` : ''
  const ownKey = results.secrets.isKeyPending
    ? 'the key that was made at this start'
    : `the key in ${secretPath({ place }, 'secret_key')}`
  const from = values.SECRET_KEY.value === undefined ? ownKey : 'SECRET_KEY'
  return new SupervisorError(
    'DATABASE_OTHER_KEY',
    `cannot use the internal database${where} with ${from}: it was made with another one, which encrypted ` +
      'the passwords that Mathesar stores',
  )
}

/** Looks at the database, which must have been made with our key, or say nothing of it. */
const look = async (scope: Scope<'secrets'>, known: Known, client: Client): Promise<Found> => {
  const { system, results, inForce } = scope
  const found = compare(known, await readInternal(client))
  if (isKeyOf(results.secrets.secretKey, found.note) === false) {
    if (inForce.settings.ON_OTHER_KEY !== 'accept') throw otherKeyError(scope)
    system.log.say('warn', 'another secret key than before is accepted: stored passwords cannot be decrypted')
  }
  if (found.kind === 'current' && found.applied.length > 0) await noteKey(scope, client, found)
  return found
}

const inWords = (migrations: readonly Migration[]): string =>
  firstFew(migrations, String, { limit: 3 }).join(', ')

const aheadError = ({ from, to }: Known, ahead: readonly Migration[], back?: KeptDatabase): SupervisorError =>
  new SupervisorError(
    'DATABASE_AHEAD',
    `cannot use the internal database with Mathesar ${to}: ${from} has served from it, and it has ` +
      `migrations that this image does not know: ${inWords(ahead)}`,
    back && {
      hint:
        `Nothing was changed. Start the image with Mathesar ${from} again. Or go back with ` +
        `\`-e ON_DOWNGRADE=return\`: the internal database as it was on ${back.at.slice(0, 10)} takes its ` +
        'place, and the present one is kept. Your own tables stay as they are.',
    },
  )

/** Puts the database in place that this image can go on with, if there is one and it is wished. */
const goBack = async (
  scope: Scope<'secrets' | 'cluster'>,
  known: Known,
  { ahead, applied }: Extract<Found, { kind: 'ahead' }>,
): Promise<void> => {
  const { image = [], from } = known
  const isOurs = scope.inForce.database.kind === 'embedded'
  const back = isOurs ? await findWayBack(scope, image) : undefined
  if (back === undefined || scope.inForce.settings.ON_DOWNGRADE !== 'return')
    throw aheadError(known, ahead, back)
  const left = { version: from, applied, database: await chooseName(scope, from) }
  const written = await writeSince(scope, back, left)
  await goBackTo(scope, back, left)
  const list = written === undefined ? '' : `, and what was added since is listed in ${written}`
  const what = `the database of ${back.at} is in its place again; that of Mathesar ${from} is kept${list}`
  scope.system.log.say('warn', what)
  scope.report(what)
}

/**
 * Waits for the lock that one container holds while it migrates. It lives in a transaction: a pooler that
 * lends a connection for one transaction at a time would else keep a lock of the session,
 * and give it to nobody.
 */
const takeLock = async (
  { system, report }: Scope<never>,
  client: Client,
  signal: AbortSignal,
): Promise<void> => {
  for (let isTold = false; ; isTold = true) {
    const { rows } = await client.query<{ locked: boolean }>(
      'SELECT pg_try_advisory_xact_lock($1) AS locked',
      [lockKey],
    )
    if (rows[0]?.locked) break
    if (!isTold) system.log.say('info', 'another container runs the migrations: waiting for it')
    report('waits for another container that migrates')
    await system.clock.delay(500, signal)
  }
  report(null)
}

/** How often a container that never migrates looks whether somebody else has. */
const pollMs = 2000

/** Waits until somebody else has brought the database to this Mathesar: `supervisor migrate`. */
const waitForOthers = async (
  { system, report }: Scope<never>,
  lookNow: () => Promise<Found>,
  signal: AbortSignal,
): Promise<Found> => {
  for (let isTold = false; ; isTold = true) {
    const found = await lookNow()
    if (found.kind !== 'behind') {
      report(null)
      return found
    }
    const count = found.missing.length
    const what = `waits for \`supervisor migrate\` (RUN_MIGRATIONS=never): ${count} migrations to run`
    if (!isTold) system.log.say('info', `migrations ${what}`)
    report(what)
    await system.clock.delay(pollMs, signal)
  }
}

/** Who may create no tables is told what to type: Django fails with a line of SQL and a caret. */
const requireCreate = async ({ inForce: { database } }: Scope<never>, client: Client): Promise<void> => {
  const { rows } = await client.query<{ command: string; schema: string; role: string }>(
    `SELECT schema, current_user AS role,
        pg_catalog.format('GRANT USAGE, CREATE ON SCHEMA %I TO %I', schema, current_user) AS command
      FROM (SELECT coalesce(pg_catalog.current_schema(), 'public') AS schema) AS target
      WHERE pg_catalog.current_schema() IS NULL OR NOT pg_catalog.has_schema_privilege(schema, 'CREATE')`,
  )
  const [lacking] = rows
  if (lacking === undefined) return
  const name = database.kind === 'external' ? database.name : internalDatabase
  throw new SupervisorError(
    'MIGRATIONS_FAILED',
    `cannot migrate the internal database: user ${lacking.role} may not create tables in schema ` +
      `${lacking.schema} of database ${name}`,
    { hint: `As the owner of database ${name}, connected to it, type: ${lacking.command};` },
  )
}

const announce = ({ applied, missing }: Extract<Found, { kind: 'behind' }>, { from, to }: Known): string =>
  applied.length === 0
    ? 'running migrations'
    : `Mathesar ${from} → ${to}: running all or none of these migrations: ${inWords(missing)}`

const readKnown = (scope: Scope<never>): Known => ({
  image: readImageMigrations(scope),
  to: readAppVersion(scope) ?? 'of this image',
  from: readServedVersion(scope) ?? 'of another image',
})

/** Whether another container does that. Nothing but this one reaches an embedded server. */
export const neverMigrates = ({ settings, database }: InForce): boolean =>
  settings.RUN_MIGRATIONS === 'never' && database.kind === 'external'

/**
 * Brings the internal database to this Mathesar, only when it is not there yet, and one container at a time.
 */
export const migrations = defineTask({
  name: 'migrations',
  needs: ['key', 'secrets', 'volume', 'cluster', 'collations'],
  description: 'brings the internal database to this version of Mathesar',
  run: async (scope, signal) => {
    const { system, inForce } = scope
    const known = readKnown(scope)
    const lookNow = (): Promise<Found> =>
      withDatabase(scope, (client) => inTransaction(client, () => look(scope, known, client)))
    const migrateOnce = async (client: Client): Promise<'forth' | null> => {
      await takeLock(scope, client, signal)
      const found = await look(scope, known, client)
      if (found.kind === 'ahead') throw aheadError(known, found.ahead)
      if (found.kind === 'current') return null // Another container has migrated meanwhile.
      await requireCreate(scope, client)
      persistSecret(scope, 'secret_key') // From here on the database may hold what it encrypted.
      system.log.say('info', announce(found, known))
      await migrate(scope, client, signal)
      await noteKey(scope, client, found)
      return 'forth'
    }
    if (neverMigrates(inForce)) {
      const found = await waitForOthers(scope, lookNow, signal)
      if (found.kind === 'ahead') throw aheadError(known, found.ahead)
      return { brought: null }
    }
    let found = await lookNow()
    const isAhead = found.kind === 'ahead'
    if (found.kind === 'ahead') {
      await goBack(scope, known, found)
      found = await lookNow()
    }
    if (found.kind !== 'behind') return { brought: isAhead ? 'back' : null }
    if (found.applied.length > 0)
      await (inForce.database.kind === 'embedded'
        ? keepBefore(scope, known, found.applied)
        : dumpBefore(scope, known.to, signal))
    const brought = await withDatabase(scope, (client) => inTransaction(client, () => migrateOnce(client)))
    return { brought }
  },
})
