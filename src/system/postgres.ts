import type { Client, ClientConfig, Connection } from 'pg'
import { isTlsFailure } from '../settings/tls.ts'
import { forgetLibpqVariables } from './environment.ts'

/**
 * The most that a server may send on one connection: pg keeps each row or message whole, whatever its length.
 */
const answerLimitBytes = 16 * 1024 * 1024

/** Closes the connection when the server sends more. Once it is encrypted, its stream is another one. */
const limitAnswers = (client: Client, Wire: typeof Connection): void => {
  const connection = 'connection' in client ? client.connection : undefined
  if (!(connection instanceof Wire)) throw new Error('pg has no connection that can be counted')
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

/**
 * Tries one way after the other, as libpq does: when TLS fails or the server refuses (SQLSTATE class 28). The
 * error names every failure.
 */
const connect = async (ways: readonly ClientConfig[]): Promise<Client> => {
  const { default: pg } = await import('pg')
  forgetLibpqVariables()
  const failures: Error[] = []
  for (const config of ways) {
    const client = new pg.Client({ ...limits, application_name: 'supervisor', ...config })
    limitAnswers(client, pg.Connection)
    client.on('error', () => {}) // When the server goes away, the query under way rejects.
    try {
      await client.connect()
      return client
    } catch (error) {
      failures.push(error as Error)
      if (!isTlsFailure(error) && !(error as { code?: string }).code?.startsWith('28')) break
    }
  }
  // A server without TLS is not a fault where a plain connection may be tried too. What was said twice is
  // told once.
  const faults = failures.filter(
    ({ message }, at) =>
      (failures.length === 1 || !message.includes('does not support SSL')) &&
      failures.findIndex((other) => other.message === message) === at,
  )
  const [first, ...others] = faults
  if (first !== undefined && others.length === 0) throw first
  throw new AggregateError(faults, faults.map(({ message }) => message).join('; '))
}

/** Opens a connection by the first way that works, hands it over, closes it. `host` may be a folder. */
export const withClient = async <T>(
  ways: readonly ClientConfig[],
  use: (client: Client) => Promise<T>,
): Promise<T> => {
  const client = await connect(ways)
  try {
    return await use(client)
  } finally {
    await client.end().catch(() => {})
  }
}
