import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { applyOwnership, readOwnership } from '../../src/operations/promote/owners.ts'
import { postgresBin } from '../helpers/daemon.ts'
import { startPostgres } from '../helpers/postgres.ts'

const password = 'pass w%rd/of:owner'

/** The same server stands for both: what it says of one database is done in another. */
describe.skipIf(postgresBin === undefined)('what a move reads and tells', () => {
  let server: Awaited<ReturnType<typeof startPostgres>>
  beforeAll(async () => {
    server = await startPostgres('owner', password)
    await server.query(`
      CREATE ROLE mathesar LOGIN CREATEDB CREATEROLE PASSWORD '${password}';
      CREATE ROLE alice; CREATE ROLE bob; GRANT alice, bob TO mathesar`)
    for (const name of ['here', 'there']) await server.query(`CREATE DATABASE ${name} OWNER mathesar`)
  })
  afterAll(() => server.stop())

  const as = async <T>(
    user: string,
    database: string,
    use: (client: pg.Client) => Promise<T>,
  ): Promise<T> => {
    const client = new pg.Client({ host: '127.0.0.1', port: server.port, user, password, database })
    await client.connect()
    try {
      return await use(client)
    } finally {
      await client.end()
    }
  }

  test('who owns a schema may make tables in it, and who owns something in another one may not', async () => {
    const made = `CREATE SCHEMA sales; CREATE TABLE sales.orders (); CREATE SCHEMA shared;
      CREATE TABLE shared.alices ()`
    for (const name of ['here', 'there']) await as('mathesar', name, (client) => client.query(made))
    await server.query('ALTER SCHEMA sales OWNER TO alice; ALTER TABLE sales.orders OWNER TO bob', 'here')
    await server.query('ALTER TABLE shared.alices OWNER TO alice', 'here')
    const rights = `SELECT rolname AS role, nspname AS schema, nspowner::regrole::text AS owner,
        has_schema_privilege(rolname, n.oid, 'CREATE') AS may,
        has_database_privilege(rolname, current_database(), 'CREATE') AS "mayMakeMore"
      FROM pg_roles, pg_namespace n WHERE rolname IN ('alice', 'bob') AND nspname IN ('sales', 'shared')
      ORDER BY 1, 2`
    const ownership = await as('owner', 'here', (client) =>
      readOwnership(client, 'mathesar', ['alice', 'bob']),
    )
    await as('mathesar', 'there', (client) => applyOwnership(client, ownership))
    const before = await server.query(rights, 'here')
    expect(before[0]).toMatchObject({ role: 'alice', schema: 'sales', owner: 'alice', may: true })
    expect(await server.query(rights, 'there')).toEqual(before)
  })
})
