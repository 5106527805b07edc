import type { Client } from '../../system/ports.ts'

/** The one column `name` of what a query finds. */
export const namesOf = async (client: Client, sql: string, values: unknown[] = []): Promise<string[]> =>
  (await client.query<{ name: string }>(sql, values)).rows.map(({ name }) => name)
