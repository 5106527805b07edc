import type { ClientConfig } from 'pg'
import { inWords } from '../core/outcome.ts'
import { type ErrorCode, SupervisorError } from '../errors.ts'
import type { Client } from '../system/ports.ts'
import type { RunningProcess } from '../system/process.ts'
import { appRole, internalDatabase, mayBeEntered, superuserStart } from '../units/postgres/connection.ts'
import { codeOf, isAnswer, isBroken, sentenceOf } from '../units/postgres/failures.ts'
import { asArguments, asPostgres, majorOf, postgresEnvironment } from '../units/postgres/programs.ts'
import { runToEnd } from './programs.ts'
import type { OperationScope } from './scope.ts'
import { makeOwnFolder } from './stage.ts'

/** A small server for a cluster that lies beside, reached through a socket that is closed to others. */
export type SideServer = {
  readonly folder: string
  /** Its cluster, where that is one in force; `undefined` for `postgres` in the folder. */
  readonly cluster?: string
  /** What its failure means: "use this archive", and the code. */
  readonly what: string
  readonly code: ErrorCode
  /** Whether the cluster is kept afterwards, and has to be shut down in order. */
  readonly isKept: boolean
  /** Whether pages that cannot be read count as empty. */
  readonly isDamaged?: boolean
  /** As whom to wait for it: its superuser. */
  readonly user: string
  /** Whether Mathesar's user may connect to its own database there. */
  readonly isForMathesar?: boolean
  /** What it writes to its log, as it does. */
  readonly onSaid?: (text: string) => void
  /** What it is told beside. */
  readonly parameters?: Readonly<Record<string, string>>
}

/** A cluster with much WAL to replay takes its time. */
const startLimitMs = 10 * 60_000

/** How much of what a server writes is looked at, should it end. */
const saidLimit = 8192

/** In the folder of a state beside: `postgres` is the cluster. */
export const socketIn = (folder: string): string => `${folder}/socket`

/** Who owns a database could else have our queries call functions of theirs, as superuser. */
const sessionStart = `${superuserStart} -c role=none`

const connectTo = (folder: string, database: string, user: string): ClientConfig => ({
  host: socketIn(folder),
  port: 5432,
  user,
  database,
  ssl: false,
  query_timeout: 0,
  // What they set is a superuser's to set, and only a superuser needs it.
  ...(user === appRole ? {} : { options: sessionStart }),
})

/** The same for programs of Postgres. */
export const programsConnectTo = (
  { place }: OperationScope,
  folder: string,
  user: string,
): Record<string, string> => ({
  ...postgresEnvironment(place),
  PGHOST: socketIn(folder),
  PGUSER: user,
  PGOPTIONS: sessionStart,
})

export const asUser = <T>(
  { system }: OperationScope,
  folder: string,
  [user, database]: readonly [user: string, database: string],
  use: (client: Client) => Promise<T>,
): Promise<T> => system.withClient([connectTo(folder, database, user)], use)

/** The rows of one query to a cluster of ours that lies beside, as its superuser. */
export const askBeside = <Row extends Record<string, unknown>>(
  scope: OperationScope,
  folder: string,
  database: string,
  sql: string,
): Promise<Row[]> =>
  asUser(scope, folder, ['postgres', database], async (client) => (await client.query<Row>(sql)).rows)

/** Throws where one of its databases does not open. */
export const lookIntoEach = async (scope: OperationScope, folder: string): Promise<void> => {
  const sql = `SELECT datname AS name FROM pg_database WHERE ${mayBeEntered}`
  for (const { name } of await askBeside<{ name: string }>(scope, folder, 'template1', sql))
    await askBeside(scope, folder, name, 'SELECT count(*) FROM pg_class')
}

const isOlderThan17 = ({ place }: OperationScope): boolean => (majorOf(place) ?? 17) < 17

/** What a server on any cluster needs to be told: other images keep the configuration elsewhere. */
export const parametersFor = (
  scope: OperationScope,
  folder: string,
  isInForce = false,
): Readonly<Record<string, string>> => {
  const { files } = scope.system
  files.writeWhole(`${folder}/postgresql.conf`, '', 0o644)
  files.writeWhole(`${folder}/pg_hba.conf`, 'local all all trust\n', 0o644)
  files.writeWhole(`${folder}/pg_ident.conf`, '', 0o644)
  return {
    config_file: `${folder}/postgresql.conf`,
    hba_file: `${folder}/pg_hba.conf`,
    ident_file: `${folder}/pg_ident.conf`,
    unix_socket_directories: socketIn(folder),
    listen_addresses: '',
    port: '5432',
    shared_buffers: '32MB',
    max_connections: '10',
    shared_preload_libraries: '',
    archive_mode: 'off',
    jit: 'off',
    ...(isOlderThan17(scope) ? {} : { event_triggers: 'off' }),
    autovacuum: 'off',
    // What is not in force yet is written to the disk as a whole before it is, or is thrown away.
    ...(isInForce ? {} : { fsync: 'off' }),
  }
}

/**
 * Lets Mathesar's user into the folder of the socket, as its own role alone. Where all have one user, there
 * is nobody to keep out.
 */
const letMathesarIn = (scope: OperationScope, { folder, user }: SideServer): void => {
  const { system, place } = scope
  const { supervisor, postgres, mathesar } = place.identities
  if (postgres === undefined) return
  makeOwnFolder(scope, socketIn(folder), { ...postgres, gid: mathesar!.gid }, 0o710)
  const hba = `local all ${user} peer map=own\nlocal ${internalDatabase} ${appRole} trust\n`
  const ident = [supervisor, postgres].map(({ name }) => `own ${name} ${user}\n`).join('')
  system.files.writeWhole(`${folder}/pg_hba.conf`, hba, 0o644)
  system.files.writeWhole(`${folder}/pg_ident.conf`, ident, 0o644)
}

type Started = {
  readonly server: RunningProcess
  /** Why it ended, in its own words, as far as it said so. */
  readonly whyEnded: () => string
}

const start = (scope: OperationScope, side: SideServer): Started => {
  const { system, place } = scope
  const { folder, cluster, isDamaged } = side
  makeOwnFolder(scope, socketIn(folder), place.identities.postgres, 0o700)
  const parameters = asArguments({
    ...parametersFor(scope, folder, cluster !== undefined),
    ...(isDamaged ? { zero_damaged_pages: 'on' } : {}),
    ...side.parameters,
  })
  if (side.isForMathesar) letMathesarIn(scope, side)
  let said = ''
  const server = system.startProcess(
    asPostgres(place, [
      `${place.paths.postgresBin}/postgres`,
      '-D',
      cluster ?? `${folder}/postgres`,
      ...parameters,
    ]),
    {
      write: (chunk) => {
        said = (said + chunk.toString()).slice(-saidLimit)
        side.onSaid?.(chunk.toString())
        return undefined
      },
      flush: () => {},
    },
  )
  return { server, whyEnded: () => system.log.redact(/(?:FATAL|PANIC): +(.*)/.exec(said)?.[1] ?? '') }
}

const waitUntilReady = async (
  { system }: OperationScope,
  { folder, what, code, user }: SideServer,
  { server, whyEnded }: Started,
): Promise<void> => {
  const gone = new AbortController()
  void server.ended.then((outcome) => {
    const why = [`Postgres ${inWords(outcome)}`, whyEnded()].filter((part) => part !== '').join(': ')
    gone.abort(new SupervisorError(code, `cannot ${what}: its cluster does not start: ${why}`))
  })
  await system.retry(
    () => system.withClient([connectTo(folder, 'template1', user)], (client) => client.query('SELECT 1')),
    {
      forMs: startLimitMs,
      signal: gone.signal,
      // Once it serves, what it refuses stays refused.
      isWorthIt: (error) => !isAnswer(error) || codeOf(error).startsWith('57'),
    },
  )
}

/** Acts with a server on the cluster beside, which then stops: in order where the cluster is kept. */
export const withSideServer = async <T>(
  scope: OperationScope,
  side: SideServer,
  act: () => Promise<T>,
): Promise<T> => {
  const started = start(scope, side)
  try {
    await waitUntilReady(scope, side, started)
    return await act()
  } catch (cause) {
    if (!isAnswer(cause) && !isBroken(cause)) throw cause // One that ended breaks its connections.
    throw new SupervisorError(side.code, `cannot ${side.what}: ${sentenceOf(cause)}`, { cause })
  } finally {
    started.server.signal(side.isKept ? 'SIGINT' : 'SIGQUIT')
    await started.server.ended
  }
}

/**
 * Makes us a role in a cluster whose superuser nobody knows: in single-user mode, which recovers the cluster
 * first.
 */
export const createRole = async (scope: OperationScope, folder: string, role: string): Promise<void> => {
  const { place } = scope
  async function* commands(): AsyncGenerator<Buffer> {
    yield Buffer.from(`CREATE ROLE ${role} SUPERUSER LOGIN\n`)
  }
  await runToEnd(scope, {
    what: 'use the copy of the cluster',
    command: asPostgres(place, [
      `${place.paths.postgresBin}/postgres`,
      '--single',
      '-D',
      `${folder}/postgres`,
      ...asArguments(parametersFor(scope, folder)),
      'template1',
    ]),
    input: commands(),
    code: 'CLUSTER_UNUSABLE',
  })
}
