import { execFileSync } from 'node:child_process'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { applyKept, carrySequences, countTables, readKept } from '../../src/operations/promote/databases.ts'
import { keepGaps } from '../../src/operations/promote/gaps.ts'
import { differencesOf, readNames } from '../../src/operations/promote/names.ts'
import { applyOwnership, readOwnership } from '../../src/operations/promote/owners.ts'
import { applyRoles, readRoles } from '../../src/operations/promote/roles.ts'
import { readTables } from '../../src/operations/promote/since.ts'
import { postgresBin } from '../helpers/daemon.ts'
import { startPostgres } from '../helpers/postgres.ts'

const password = 'pass w%rd/of:owner'

/** The same server stands for both: what it says of one database is done in another. */
describe.skipIf(postgresBin === undefined)('what a move reads and tells', () => {
  let server: Awaited<ReturnType<typeof startPostgres>>
  let major: number
  beforeAll(async () => {
    server = await startPostgres('owner', password)
    await server.query(`
      CREATE ROLE mathesar LOGIN CREATEDB CREATEROLE PASSWORD '${password}';
      CREATE ROLE alice; CREATE ROLE bob; GRANT alice, bob TO mathesar WITH ADMIN OPTION`)
    const [version] = await server.query("SELECT current_setting('server_version_num')::int / 10000 AS major")
    major = Number(version?.major)
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

  const kept = `SELECT setdatabase::text, setrole::text, setconfig FROM pg_db_role_setting
    WHERE setrole <> 'mathesar'::regrole ORDER BY 1, 2`
  const apply = async (roles: Awaited<ReturnType<typeof readRoles>>, warn: (what: string) => void) =>
    await as('mathesar', 'here', (client) =>
      applyRoles(client, roles, { major, mark: 'mark', knownPasswords: [], warn }),
    )

  test('settings of databases and roles are the same again, and lists of names stay lists', async () => {
    await server.query(
      `ALTER DATABASE here SET search_path = sales, "Odd, ""name", "$user", public;
      ALTER DATABASE here SET datestyle = 'German, DMY';
      ALTER ROLE alice IN DATABASE here SET search_path = '';
      ALTER ROLE alice SET temp_tablespaces = one, two;
      ALTER ROLE alice SET application_name = 'a, "b"'`,
    )
    const before = await server.query(kept)
    const [roles, ofDatabase] = await as('owner', 'here', async (client) => [
      await readRoles(client, ['alice', 'bob']),
      await readKept(client, ['alice', 'bob']),
    ])
    await server.query(`ALTER DATABASE here RESET ALL; ALTER ROLE alice RESET ALL;
      ALTER ROLE alice IN DATABASE here RESET ALL`)
    const warnings: string[] = []
    const warn = (what: string): void => void warnings.push(what)
    await apply(roles, warn)
    await as('mathesar', 'here', (client) => applyKept(client, 'here', ofDatabase, warn))
    expect(await server.query(kept)).toEqual(before)
    expect(warnings).toEqual([])
  })

  test('a role that the server does not let go is told with its reason', async () => {
    await server.query(`CREATE ROLE stale; COMMENT ON ROLE stale IS 'mark'; CREATE TABLE stales ();
      ALTER TABLE stales OWNER TO stale; GRANT stale TO mathesar WITH ADMIN OPTION`)
    const said: string[] = []
    const nobody = { roles: [], memberships: [], settings: [] }
    await apply(nobody, (what) => void said.push(what))
    await server.query('DROP TABLE stales; DROP ROLE stale')
    expect(said).toEqual([
      'that the role stale was removed: its server says: role "stale" cannot be dropped because some ' +
        'objects depend on it',
    ])
  })

  test('a setting that is refused is told by its name alone', async () => {
    await server.query(
      "ALTER DATABASE here SET zero_damaged_pages = on; ALTER ROLE alice SET log_statement = 'ddl'",
    )
    const [roles, ofDatabase] = await as('owner', 'here', async (client) => [
      await readRoles(client, ['alice']),
      await readKept(client, ['alice']),
    ])
    const warnings: string[] = []
    await apply(roles, (what) => warnings.push(what))
    await as('mathesar', 'here', (client) =>
      applyKept(client, 'here', ofDatabase, (what) => warnings.push(what)),
    )
    expect(warnings).toEqual([
      'the setting log_statement of ROLE alice',
      'the setting zero_damaged_pages of DATABASE here',
    ])
  })

  test('the comment of the schema public goes along, or it is told that it does not', async () => {
    await server.query("COMMENT ON SCHEMA public IS 'It''s ours'", 'here')
    await server.query('ALTER DATABASE here RESET ALL')
    const kept = await as('owner', 'here', (client) => readKept(client, []))
    const apply = async (): Promise<readonly string[]> => {
      const warnings: string[] = []
      await as('mathesar', 'there', (client) =>
        applyKept(client, 'there', kept, (what) => warnings.push(what)),
      )
      return warnings
    }
    await server.query('ALTER SCHEMA public OWNER TO owner', 'there') // As before Postgres 15.
    expect(await apply()).toContain('the comment of the schema public')
    await server.query('ALTER SCHEMA public OWNER TO pg_database_owner', 'there')
    expect(await apply()).not.toContain('the comment of the schema public')
    const described = "SELECT obj_description('public'::regnamespace, 'pg_namespace') AS is"
    expect(await server.query(described, 'there')).toEqual([{ is: "It's ours" }])
  })

  test('what an extension keeps stays where it is, and is told', async () => {
    const made = `CREATE SEQUENCE public.own; SELECT setval('public.own', 7);`
    for (const name of ['here', 'there']) await as('mathesar', name, (client) => client.query(made))
    const extended = `CREATE SEQUENCE public.of_extension; CREATE TABLE public.kept (n int);
      ALTER EXTENSION plpgsql ADD SEQUENCE public.of_extension; ALTER EXTENSION plpgsql ADD TABLE public.kept;
      UPDATE pg_extension SET extconfig = ARRAY['public.kept'::regclass],
        extcondition = ARRAY['']`
    await server.query(extended, 'here')
    await as('mathesar', 'here', (here) =>
      as('mathesar', 'there', async (there) => {
        await there.query("SELECT setval('public.own', 1)")
        await carrySequences(here, there)
        expect((await there.query('SELECT last_value FROM public.own')).rows).toEqual([{ last_value: '7' }])
        const warnings: string[] = []
        await applyKept(there, 'here', await readKept(here, []), (what) => warnings.push(what))
        expect(warnings).toContain('what the extension plpgsql keeps in its own tables of here')
      }),
    )
  })

  test('columns keep their numbers where a parent lost one before them', async () => {
    await server.query(
      `CREATE SCHEMA family;
      CREATE TABLE family.parent (a int, gone int, b int, gone_too int);
      CREATE TABLE family.child (own int) INHERITS (family.parent);
      CREATE TABLE family.a_grandchild (last int) INHERITS (family.child);
      CREATE TABLE family.plain () INHERITS (family.parent);
      ALTER TABLE family.parent DROP COLUMN gone, DROP COLUMN gone_too;
      ALTER TABLE family.child DROP COLUMN own`,
      'here',
    )
    const run = (program: string, database: string, args: readonly string[], input = ''): string =>
      execFileSync(
        `${postgresBin}/${program}`,
        ['-h', '127.0.0.1', '-p', String(server.port), '-U', 'owner', '-d', database, ...args],
        {
          env: { PGPASSWORD: password, PATH: process.env.PATH },
          input,
          encoding: 'utf8',
          stdio: ['pipe', 'pipe', 'pipe'],
        },
      )
    const ofFamily = ['--schema-only', '--quote-all-identifiers', '--schema=family']
    const before = await as('owner', 'here', readNames)
    const family = before.tables.filter(({ schema }) => schema === 'family')
    const made = keepGaps(run('pg_dump', 'here', ofFamily), family)
    run('psql', 'there', ['-X', '-q', '-v', 'ON_ERROR_STOP=1'], made)
    const after = await as('owner', 'there', readNames)
    expect(differencesOf({ ...before, tables: family }, after)).toEqual([])
  })

  test('names have their quotes whatever words this version knows', async () => {
    await server.query('CREATE TABLE public.json (json int PRIMARY KEY, "odd ""name" int)', 'here')
    const name = '"public"."json"'
    const [counts, tables] = await as('owner', 'here', async (client) => [
      await countTables(client),
      await readTables(client),
    ])
    expect(counts.get(name)).toBe('0')
    expect(tables.find((table) => table.name === name)).toMatchObject({
      columns: ['"json"', '"odd ""name"'],
      key: ['"json"'],
    })
  })
})
