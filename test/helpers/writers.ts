import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'

/**
 * Clients that write one row a transaction, and count what the server said is stored, as long as they are
 * not stopped. One that loses its connection connects again.
 */
export const startWriters = (host: string, clients = 4) => {
  const acknowledged: number[] = []
  let next = 1
  let isOver = false
  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client({ host, user: 'mathesar', database: 'mathesar_django' })
    client.on('error', () => {})
    await client.connect()
    return client
  }
  const write = async (): Promise<void> => {
    while (!isOver) {
      const client = await connect().catch(() => undefined)
      try {
        while (client !== undefined && !isOver) {
          const id = next++
          await client.query('INSERT INTO counted (id, text) VALUES ($1, $2)', [id, 'x'.repeat(id % 300)])
          acknowledged.push(id)
        }
      } catch {
        /* Nobody knows what became of that row. */
      }
      await client?.end().catch(() => {})
      if (!isOver) await delay(20)
    }
  }
  return {
    acknowledged,
    prepare: async (): Promise<void> => {
      const client = await connect()
      await client.query('CREATE TABLE IF NOT EXISTS counted (id int PRIMARY KEY, text text)')
      await client.end()
    },
    begin: (): readonly Promise<void>[] => Array.from({ length: clients }, write),
    /** Rows that were acknowledged and are not there. */
    lost: async (ids: readonly number[] = [...acknowledged]): Promise<readonly number[]> => {
      const client = await connect()
      try {
        const { rows } = await client.query<{ id: number }>('SELECT id FROM counted')
        const there = new Set(rows.map(({ id }) => id))
        return ids.filter((id) => !there.has(id))
      } finally {
        await client.end()
      }
    },
    end: (): void => {
      isOver = true
    },
  }
}
