import type { Client, ClientConfig } from 'pg'

/** Opens a connection, hands it over, closes it. `host` may be the folder of a unix socket. */
export const withClient = async <T>(config: ClientConfig, use: (client: Client) => Promise<T>): Promise<T> => {
  const { default: pg } = await import('pg')
  const client = new pg.Client({ connectionTimeoutMillis: 5000, application_name: 'supervisor', ...config })
  client.on('error', () => {}) // A server that goes away ends the query under way, which rejects.
  await client.connect()
  try {
    return await use(client)
  } finally {
    await client.end().catch(() => {})
  }
}
