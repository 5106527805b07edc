import type { Client, ClientConfig, Connection } from 'pg'
import { MiB } from '../core/amounts.ts'
import { isTlsFailure } from '../settings/tls.ts'
import { forgetLibpqVariables } from './environment.ts'

/**
 * The most that a server may send on one connection: pg keeps each row or message whole, whatever its length.
 */
const answerLimitBytes = 16 * MiB

const wireOf = (client: Client, Wire: typeof Connection): Connection => {
  const connection = 'connection' in client ? client.connection : undefined
  if (connection instanceof Wire) return connection
  throw new Error('pg has no connection that can be counted')
}

/** Closes the connection when the server sends more. Once it is encrypted, its stream is another one. */
const limitAnswers = (connection: Connection): void => {
  let left = answerLimitBytes
  const count = (): void => {
    const { stream } = connection
    stream.on('data', (chunk: Buffer) => {
      if ((left -= chunk.length) < 0)
        stream.destroy(new Error(`it sent more than ${answerLimitBytes / 1024 / 1024} MiB`))
    })
  }
  connection.once('connect', count).once('sslconnect', count)
}

/** The app may put a view that never answers in the place of a table that we read. */
const limits = { connectionTimeoutMillis: 5000, query_timeout: 60_000 }

/** Of several servers, one that is a replica now is none to go on with: libpq's `read-write`. */
const requireWrites = async (client: Client): Promise<void> => {
  const { rows } = await client.query<{ transaction_read_only: string }>('SHOW transaction_read_only')
  if (rows[0]?.transaction_read_only === 'on') throw new Error('it takes no writes')
}

type Failure = { readonly host: string | undefined; readonly error: Error }

/**
 * What is thrown where no way worked. A server without TLS is not a fault where a plain connection was tried
 * too. What was said twice is told once.
 */
const failureOf = (failures: readonly Failure[], hasChoice: boolean): Error => {
  const sentenceOf = ({ host, error }: Failure): string => (hasChoice ? `${host}: ` : '') + error.message
  const faults = failures.filter(
    (failure, at) =>
      (failures.length === 1 || !failure.error.message.includes('does not support SSL')) &&
      failures.findIndex((other) => sentenceOf(other) === sentenceOf(failure)) === at,
  )
  const [first, ...others] = faults
  if (first !== undefined && others.length === 0 && !hasChoice) return first.error
  return new AggregateError(
    faults.map(({ error }) => error),
    faults.map(sentenceOf).join('; '),
  )
}

/** A server that hangs may never close its side. */
const closeLimitMs = 2000

type Opened = { readonly client: Client; readonly connection: Connection }

const close = async ({ client, connection }: Opened): Promise<void> => {
  const limit = setTimeout(() => connection.stream.destroy(), closeLimitMs)
  await client.end().catch(() => {})
  clearTimeout(limit)
}

/**
 * Tries one way after the other, as libpq does: the next one to the same server when TLS fails or the server
 * refuses (SQLSTATE class 28), else the next server. The error names every failure.
 */
const connect = async (ways: readonly ClientConfig[]): Promise<Opened> => {
  const { default: pg } = await import('pg')
  forgetLibpqVariables()
  const failures: Failure[] = []
  const hasChoice = new Set(ways.map(({ host }) => host)).size > 1
  let away: string | undefined
  for (const config of ways) {
    const { host } = config
    if (host !== undefined && host === away) continue
    const client = new pg.Client({ ...limits, application_name: 'supervisor', ...config })
    const connection = wireOf(client, pg.Connection)
    limitAnswers(connection)
    client.on('error', () => {}) // When the server goes away, the query under way rejects.
    try {
      await client.connect()
      if (hasChoice) await requireWrites(client)
      return { client, connection }
    } catch (thrown) {
      const error = thrown as Error & { readonly code?: string }
      failures.push({ host, error })
      void close({ client, connection })
      if (!isTlsFailure(error) && !error.code?.startsWith('28')) away = host
    }
  }
  throw failureOf(failures, hasChoice)
}

/** Opens a connection by the first way that works, hands it over, closes it. `host` may be a folder. */
export const withClient = async <T>(
  ways: readonly ClientConfig[],
  use: (client: Client) => Promise<T>,
): Promise<T> => {
  const opened = await connect(ways)
  try {
    return await use(opened.client)
  } finally {
    await close(opened)
  }
}
