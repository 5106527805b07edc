import type { Client, ClientConfig, Connection } from 'pg'
import { isTlsFailure } from '../settings/tls.ts'

/** All that a server may send on one connection: pg keeps a row or a message as a whole, whatever its length. */
const answerLimitBytes = 16 * 1024 * 1024

/** Ends the connection when the server sends more. The stream is another one once it is encrypted. */
const limitAnswers = (client: Client): void => {
  const { connection } = client as unknown as { readonly connection: Connection }
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

/** Like libpq, goes on to the next way when TLS fails or the server refuses this one (SQLSTATE class 28), and tells of both. */
const connect = async (ways: readonly ClientConfig[]): Promise<Client> => {
  const { default: pg } = await import('pg')
  const failures: Error[] = []
  for (const config of ways) {
    const client = new pg.Client({ connectionTimeoutMillis: 5000, application_name: 'supervisor', ...config })
    limitAnswers(client)
    client.on('error', () => {}) // A server that goes away ends the query under way, which rejects.
    try {
      await client.connect()
      return client
    } catch (error) {
      failures.push(error as Error)
      if (!isTlsFailure(error) && !(error as { code?: string }).code?.startsWith('28')) break
    }
  }
  // That a server has no TLS is no fault where plain may be tried as well, and what was said twice is told once.
  const faults = failures.filter(
    ({ message }, at) =>
      (failures.length === 1 || !message.includes('does not support SSL')) &&
      failures.findIndex((other) => other.message === message) === at,
  )
  throw faults.length === 1
    ? faults[0]
    : new AggregateError(faults, faults.map(({ message }) => message).join('; '))
}

/** Opens a connection by the first way that works, hands it over, closes it. `host` may be the folder of a unix socket. */
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
