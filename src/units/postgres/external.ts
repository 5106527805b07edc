import type { ClientConfig } from 'pg'
import { SupervisorError } from '../../errors.ts'
import { hostsOf } from '../../settings/database.ts'
import { isAddress } from '../../settings/addresses.ts'
import { oddityOf } from '../../settings/forms.ts'
import type { Scope } from '../unit.ts'
import { connectionOf, type DatabaseScope } from './connection.ts'
import { openExternal, writableWays } from './open.ts'
import { isAboutTls, isAnsweredByAll, isNoDatabase, isRefusal, sentenceOf } from './failures.ts'
import { quoteName } from './quoting.ts'

type ExternalDatabase = Extract<DatabaseScope['inForce']['database'], { readonly kind: 'external' }>

const tlsHint =
  'Check POSTGRES_SSLMODE, and POSTGRES_SSLROOTCERT if the certificate was refused: verify-full also ' +
  'wants POSTGRES_HOST to be a name in the certificate.'

const createHint = ({ name, user }: ExternalDatabase): string =>
  `Create it on that server: \`CREATE DATABASE ${quoteName(name)} OWNER ${quoteName(user)}\`. ` +
  'If it is there by another name, correct POSTGRES_DB, or the URL.'

/** What to look at first when a server refuses, if something stands out. A password is never shown. */
const refusalHint = (cause: unknown, database: ExternalDatabase): { readonly hint?: string } => {
  const { password } = database
  if (isNoDatabase(cause)) return { hint: createHint(database) }
  if (isAboutTls(cause)) return { hint: tlsHint }
  const oddity = password === undefined ? undefined : oddityOf(password)
  return oddity === undefined ? {} : { hint: `Look at POSTGRES_PASSWORD: ${oddity}.` }
}

/** A server that was reached needs no look at its address. */
const silenceHint = (cause: unknown): { readonly hint?: string } =>
  isAnsweredByAll(cause)
    ? {
        hint:
          'The server was reached, and the sentence above is its own: its log says more. ' +
          '`-e DATABASE_WAIT_TIMEOUT=600` waits longer.',
      }
    : {}

const readOnlyHint =
  'Name the primary server in POSTGRES_HOST, or let the user write: ' +
  '`alter role … reset default_transaction_read_only`.'

/** How long a change waits for another database to answer. */
const changeWaitSeconds = 5

/** Which database, for people. */
const whereOf = ({ inForce: { database } }: DatabaseScope): string =>
  database.kind === 'external'
    ? `${database.host}:${database.port}, database ${database.name}, user ${database.user}`
    : 'the embedded Postgres'

/** The database answers, and nothing can be stored in it. */
class ReadOnly extends Error {}

/** Whether it said no, or nothing. */
const codeFor = (error: unknown): 'DATABASE_REFUSED' | 'DATABASE_UNREACHABLE' =>
  error instanceof ReadOnly || isRefusal(error) ? 'DATABASE_REFUSED' : 'DATABASE_UNREACHABLE'

/** Throws when the database does not answer, or cannot be written. */
const requireWritable = async ({ system }: DatabaseScope, ways: readonly ClientConfig[]): Promise<void> => {
  const { rows } = await system.withClient(ways, (client) =>
    client.query<{ isReplica: boolean; isReadOnly: boolean }>(
      `SELECT pg_catalog.pg_is_in_recovery() AS "isReplica",
        pg_catalog.current_setting('transaction_read_only') = 'on' AS "isReadOnly"`,
    ),
  )
  if (rows[0]?.isReplica) throw new ReadOnly('it is a replica, which takes no writes')
  if (rows[0]?.isReadOnly)
    throw new ReadOnly('it takes no writes from this user (default_transaction_read_only)')
}

/**
 * What is wrong with the external database, for the status; `undefined` when it can be written. Where pages
 * are served (`isServing`) it answers: one that turns this question away has but few connections to give.
 */
export const databaseTrouble = async (
  scope: Scope<never>,
  isServing: boolean,
): Promise<SupervisorError | undefined> => {
  if (scope.inForce.database.kind === 'embedded') return undefined
  try {
    await requireWritable(scope, connectionOf(scope))
    return undefined
  } catch (error) {
    if (isServing && !(error instanceof ReadOnly)) return undefined
    const why = scope.system.log.redact(sentenceOf(error))
    return new SupervisorError(codeFor(error), `the database does not serve (${whereOf(scope)}): ${why}`)
  }
}

/** How long to wait, whom to tell meanwhile, and what to do first once it answers. */
type Patience = {
  readonly seconds: number
  readonly onFailure?: (error: unknown) => void
  readonly prepare?: () => Promise<void>
}

/** The addresses of the names, where there are some: the sentence of the system has no word of them. */
const triedOf = async ({ system }: DatabaseScope, host: string): Promise<string> => {
  const names = hostsOf({ host }).filter((each) => !each.startsWith('/') && !isAddress(each))
  if (names.length === 0) return ''
  const addresses = (await Promise.all(names.map(system.addressesOf))).flat()
  return addresses.length === 0 ? ' (the name has no address here)' : ` (tried ${addresses.join(' and ')})`
}

const failureOf = async (
  target: DatabaseScope,
  database: ExternalDatabase,
  cause: unknown,
  seconds: number,
): Promise<SupervisorError> => {
  const where = whereOf(target)
  const why = target.system.log.redact(sentenceOf(cause))
  const isReadOnly = cause instanceof ReadOnly
  if (!isReadOnly && !isRefusal(cause)) {
    const tried = isAnsweredByAll(cause) ? '' : await triedOf(target, database.host)
    return new SupervisorError(
      'DATABASE_UNREACHABLE',
      `cannot reach the database (${where}) within ${seconds} s: ${why}${tried}`,
      { cause, ...silenceHint(cause) },
    )
  }
  return new SupervisorError('DATABASE_REFUSED', `cannot use the database (${where}): ${why}`, {
    cause,
    ...(isReadOnly ? { hint: readOnlyHint } : refusalHint(cause, database)),
  })
}

const reach = async (
  target: DatabaseScope,
  signal: AbortSignal,
  { seconds, onFailure, prepare }: Patience,
): Promise<void> => {
  const { database } = target.inForce
  if (database.kind !== 'external') return
  const ways = writableWays(target)
  try {
    const attempt = async (): Promise<void> => {
      await prepare?.()
      await requireWritable(target, ways)
    }
    await target.system.retry(attempt, {
      forMs: seconds * 1000,
      signal,
      // A replica may become the primary.
      isWorthIt: (error) => !isRefusal(error),
      onFailure,
    })
  } catch (cause) {
    signal.throwIfAborted()
    throw await failureOf(target, database, cause, seconds)
  }
}

const secondsOfChange = ({ inForce: { settings } }: DatabaseScope): number =>
  Math.min(changeWaitSeconds, settings.DATABASE_WAIT_TIMEOUT)

/** Throws unless the external database, if there is one, answers within seconds and can be written. */
export const reachExternal = async (target: DatabaseScope, signal: AbortSignal): Promise<void> =>
  await reach(target, signal, { seconds: secondsOfChange(target) })

/** Waits until the external database answers and can be written; a boot may come before it. */
export const waitForExternal = async (scope: Scope<never>, signal: AbortSignal): Promise<void> => {
  const {
    system,
    inForce: { settings },
    isBoot,
    report,
  } = scope
  const where = whereOf(scope)
  await reach(scope, signal, {
    seconds: isBoot ? settings.DATABASE_WAIT_TIMEOUT : secondsOfChange(scope),
    prepare: () => openExternal(scope),
    onFailure: (error) => {
      if (isRefusal(error)) return // It ends the waiting.
      const why = system.log.redact(sentenceOf(error))
      report(`waits for ${where}: ${why}`, codeFor(error))
      system.log.say('warn', `the database does not answer yet (${where}): ${why}`)
    },
  })
  report(null)
}
