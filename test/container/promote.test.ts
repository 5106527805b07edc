import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { isOtherVersion, startDatabaseServer } from '../helpers/database-server.ts'
import {
  type Box,
  cleanUp,
  describeContainer,
  docker,
  leanImage,
  makeAdmin,
  start,
  until,
} from '../helpers/docker.ts'
import { startLoad } from '../helpers/load.ts'
import { noPooler, startPooler } from '../helpers/pooler.ts'
import { freePort } from '../helpers/port.ts'

const password = 'pass w%rd/of:owner'
const mover = 'mover pass'

/** What people build: tables with gaps and odd names, roles, rights, and what refers to them. */
const built = `
  CREATE ROLE alice LOGIN PASSWORD 'of alice' CONNECTION LIMIT 7;
  CREATE ROLE readers;
  GRANT readers TO alice;
  CREATE ROLE bob LOGIN PASSWORD 'of bob';
  CREATE ROLE leaver LOGIN;
  GRANT readers TO bob;
  CREATE SCHEMA sales AUTHORIZATION alice;
  CREATE TABLE public.first (id serial PRIMARY KEY, gone int, kept text, gone_too int,
    "odd ""name" text DEFAULT E'a\\n    "kept" text');
  ALTER TABLE public.first DROP COLUMN gone, DROP COLUMN gone_too;
  INSERT INTO public.first (kept) SELECT 'row ' || n FROM generate_series(1, 500) n;
  CREATE TABLE sales.orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    first_id int REFERENCES public.first, last int);
  ALTER TABLE sales.orders DROP COLUMN last;
  INSERT INTO sales.orders (first_id) SELECT n FROM generate_series(1, 100) n;
  ALTER TABLE sales.orders OWNER TO alice;
  GRANT SELECT ON sales.orders TO readers, bob;
  CREATE VIEW sales.seen AS SELECT first_id, count(*) FROM sales.orders GROUP BY 1;
  CREATE EXTENSION citext;
  CREATE SCHEMA ext;
  CREATE EXTENSION pg_trgm SCHEMA ext;
  SELECT lo_from_bytea(4711, 'large');
  CREATE TABLE public.forced AS SELECT 1 AS n;
  ALTER TABLE public.forced ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
  CREATE SCHEMA bobs AUTHORIZATION bob;
  CREATE FUNCTION bobs.rise() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
    GRANT alice TO bob; RETURN true; EXCEPTION WHEN OTHERS THEN RETURN false; END $$;
  CREATE MATERIALIZED VIEW bobs.risen AS SELECT bobs.rise() AS has_risen WITH NO DATA;
  ALTER MATERIALIZED VIEW bobs.risen OWNER TO bob;
  REFRESH MATERIALIZED VIEW bobs.risen;
  GRANT SELECT ON public.first TO bob WITH GRANT OPTION;
  SET ROLE bob;
  GRANT SELECT ON public.first TO alice;
  RESET ROLE;
  COMMENT ON DATABASE shop IS 'It''s ours';
  ALTER DATABASE shop CONNECTION LIMIT 77;
  COMMENT ON ROLE alice IS 'of sales';
`

/** As a cluster that came from elsewhere has them, where the superuser was Mathesar's user. */
const ofSuperuser = `
  ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO bob;
  GRANT SELECT ON busy.keyless TO postgres`

/** Tables of every kind that somebody writes to while they are copied. */
const busy = `
  CREATE SCHEMA busy;
  CREATE TABLE busy.parent (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED, kept text);
  CREATE TABLE busy.child (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, number float8, bytes bytea,
    parent int REFERENCES busy.parent ON DELETE CASCADE ON UPDATE CASCADE);
  CREATE TABLE busy.keyless (n int, kept text);
  CREATE TABLE busy.json ("system_user" int PRIMARY KEY);
  CREATE TABLE busy.cut (n int PRIMARY KEY);
  CREATE TABLE busy.acked (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, who text);
  CREATE TABLE busy.pair (a citext, gone int, b numeric, PRIMARY KEY (b, a));
  ALTER TABLE busy.pair DROP COLUMN gone;
  CREATE TABLE busy.parts (n int, part text, PRIMARY KEY (n, part)) PARTITION BY LIST (part);
  CREATE TABLE busy.part_a PARTITION OF busy.parts FOR VALUES IN ('a');
  CREATE TABLE busy.part_b PARTITION OF busy.parts FOR VALUES IN ('b');
  INSERT INTO busy.parent (id, kept) SELECT n, 'row ' || n FROM generate_series(1, 20000) n;
  INSERT INTO busy.child (parent, number, bytes)
    SELECT n, n / 7.0, decode(md5(n::text), 'hex') FROM generate_series(1, 20000) n;
  INSERT INTO busy.keyless SELECT n, E'a\\tb\\\\' FROM generate_series(1, 100) n;
  INSERT INTO busy.pair SELECT 'x' || n, n / 3.0 FROM generate_series(1, 20000) n;
  INSERT INTO busy.parts SELECT n, 'a' FROM generate_series(1, 20000) n;
  CREATE MATERIALIZED VIEW busy.counted AS SELECT count(*) AS counted FROM busy.pair;
  CREATE VIEW busy.grouped AS SELECT parent.*, count(*) FROM busy.parent JOIN busy.child
    ON child.parent = parent.id GROUP BY parent.id;
  CREATE FUNCTION busy.mark() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.kept := NEW.kept || '!'; RETURN NEW; END $$;
  CREATE TRIGGER mark BEFORE INSERT OR UPDATE ON busy.parent FOR EACH ROW EXECUTE FUNCTION busy.mark();
`

/** Writes over and over, until it has to wait: then everything is frozen. */
const writer = `
  { echo 'SET lock_timeout = 100;'; n=0; while [ $n -lt 19000 ]; do n=$((n + 1)); echo "
    INSERT INTO busy.parent (id, kept) VALUES (100000 + $n, 'new');
    INSERT INTO busy.child (parent) VALUES (100000 + $n), (20000);
    DELETE FROM busy.parent WHERE id = 2 * $n; UPDATE busy.parent SET id = -id WHERE id = 2 * $n - 1;
    UPDATE busy.child SET number = number + 1 WHERE id % 5000 = $n % 5000;
    INSERT INTO busy.keyless VALUES ($n); DELETE FROM busy.keyless WHERE n = $n;
    UPDATE busy.pair SET b = -b WHERE a = 'x$n'; UPDATE busy.parts SET part = 'b' WHERE n = $n;
    TRUNCATE busy.cut; INSERT INTO busy.cut VALUES ($n); SELECT pg_sleep(0.02);"
  done; } | supervisor psql -X -q -d shop -v ON_ERROR_STOP=1 > /dev/null`

/** Writes beside Mathesar and says which rows were acknowledged: in one session, or in one for each row. */
const steady = `
  session() { psql -X -q -At -h /run/mathesar/postgres -U mathesar -d shop "$@" 2>> /tmp/refused; }
  insert="INSERT INTO busy.acked (who) VALUES ('a client') RETURNING id"
  (while [ ! -e /tmp/over ]; do session -c "$insert" >> /tmp/acked.1; done) &
  while [ ! -e /tmp/over ]; do
    yes "$insert; SELECT pg_sleep(0.002);" | session >> /tmp/acked.2
  done; wait`

/** In the middle: once the copy ahead is there, and before requests wait. */
const removeRoles = `
  until grep -q copies /var/lib/mathesar/promotion.json 2> /dev/null; do sleep 0.02; done
  supervisor psql -X -q -c 'DROP ROLE leaver; REVOKE readers FROM bob'`

/** All that it has written, and what must hold of it. */
const written = `
  SELECT string_agg(line, E'\n' ORDER BY line) FROM (
    SELECT 'parent ' || count(*) || md5(string_agg(each::text, '' ORDER BY id)) AS line FROM busy.parent each
    UNION ALL SELECT 'child ' || count(*) || md5(string_agg(each::text, '' ORDER BY id)) FROM busy.child each
    UNION ALL SELECT 'keyless ' || count(*) || md5(string_agg(each::text, '' ORDER BY n, kept))
      FROM busy.keyless each
    UNION ALL SELECT 'cut ' || n FROM busy.cut
    UNION ALL SELECT 'pair ' || md5(string_agg(each::text, '' ORDER BY b, a)) FROM busy.pair each
    UNION ALL SELECT 'parts ' || md5(string_agg(tableoid::regclass::text || each::text, '' ORDER BY n))
      FROM busy.parts each
    UNION ALL SELECT 'counted ' || counted FROM busy.counted
    UNION ALL SELECT 'last ' || last_value || is_called::text FROM busy.child_id_seq
    UNION ALL SELECT conname || convalidated::text || replace(pg_get_constraintdef(oid), '"', '')
      FROM pg_constraint -- A name is quoted where it is a word of that version.
      WHERE connamespace = 'busy'::regnamespace AND contype <> 'n' -- Those of columns, from 18 on.
    UNION ALL SELECT tgname || tgenabled::text FROM pg_trigger WHERE tgrelid = 'busy.parent'::regclass
      AND NOT tgisinternal) AS lines`

/** A crash of Postgres skips numbers of a sequence. */
const asAfterKill = (lines: string): string => lines.replace(/^last .*$/m, '')

/** The same that Mathesar's pages would store. \`nowhere\` is a table that was dropped. */
const stored = (first: number, orders: number, sales: number, nowhere: number): string => `
  INSERT INTO mathesar_tablemetadata (database_id, table_oid, column_order)
    VALUES (1, ${first}, '[3, 1]'), (1, ${orders}, NULL), (1, ${nowhere}, NULL);
  INSERT INTO mathesar_columnmetadata (database_id, table_oid, attnum) VALUES (1, ${first}, 3);
  INSERT INTO mathesar_explorations (database_id, name, base_table_oid, schema_oid, initial_columns)
    VALUES (1, 'exploration', ${orders}, ${sales}, '[{"alias": "id", "attnum": 1},
      {"alias": "kept", "attnum": 3, "join_path": [[[${orders}, 2], [${first}, 1]]]}]');
  INSERT INTO mathesar_form (database_id, schema_oid, base_table_oid) VALUES (1, ${sales}, ${orders});
  INSERT INTO mathesar_formfield (form_id, column_attnum, related_table_oid) VALUES (1, 2, ${first});
`

/** What each number leads to, with the columns of the tables and who owns them. */
const resolved = `
  SELECT string_agg(line, E'\\n' ORDER BY line) FROM (
    SELECT format('%s %s %s', attrelid::regclass, attnum,
        CASE WHEN attisdropped THEN '' ELSE attname END) AS line
      FROM pg_attribute WHERE attrelid IN ('public.first'::regclass, 'sales.orders'::regclass) AND attnum > 0
    UNION ALL SELECT format('%s of %s for %s', oid::regclass, relowner::regrole,
        replace(relacl::text, 'Dxtm', 'Dxt'))
      FROM pg_class WHERE relname IN ('first', 'orders', 'seen')
    UNION ALL SELECT format('schema %s of %s, who may make tables: %s', nspname, nspowner::regrole,
        has_schema_privilege('alice', oid, 'CREATE')) FROM pg_namespace WHERE nspname = 'sales'
    UNION ALL SELECT 'large ' || encode(lo_get(4711), 'escape')
    UNION ALL SELECT format('role %s %s %s', rolname, rolconnlimit, pg_has_role('alice', oid, 'MEMBER'))
      FROM pg_roles WHERE rolname IN ('alice', 'readers', 'bob', 'leaver')
    UNION ALL SELECT format('%s in %s', member::regrole, roleid::regrole) FROM pg_auth_members
      WHERE member IN ('alice'::regrole, 'bob'::regrole)
    UNION ALL SELECT 'bob has risen: ' || has_risen FROM bobs.risen
    UNION ALL SELECT 'everybody may connect' FROM pg_database WHERE datname = current_database()
      AND has_database_privilege('readers', oid, 'CONNECT')
    UNION ALL SELECT 'last ' || last_value FROM public.first_id_seq) AS lines`

/** Nothing of the move itself stays in them. */
const described = `
  SELECT string_agg(line, E'\\n' ORDER BY line) FROM (
    SELECT format('%s: %s, %s sessions', datname, shobj_description(oid, 'pg_database'), datconnlimit) AS line
      FROM pg_database WHERE datname IN ('shop', 'mathesar_django')
    UNION ALL SELECT format('%s: %s', rolname, shobj_description(oid, 'pg_authid'))
      FROM pg_roles WHERE rolname IN ('alice', 'readers', 'bob', 'mathesar')
    UNION ALL SELECT setting FROM pg_db_role_setting, unnest(setconfig) AS setting
      WHERE setrole = 'mathesar'::regrole AND setdatabase = 0 AND setting ~ '^work_mem') AS lines`
const asDescribed = [
  'alice: of sales',
  'bob: ',
  'mathesar: ',
  'mathesar_django: , -1 sessions',
  'readers: ',
  "shop: It's ours, 77 sessions",
  'work_mem=4567kB',
].join('\n')

const marked = `
  SELECT count(*) FROM pg_database WHERE shobj_description(oid, 'pg_database') ~ 'supervisor promote'`

/** What could not be carried. Before Postgres 15 no database sorts by ICU. */
const notCarried = (said: string | undefined): readonly string[] =>
  [...(said ?? '').matchAll(/^not carried: (.*)$/gm)]
    .map(([, what]) => what!)
    .filter((what) => !isOtherVersion || !what.startsWith('the order of texts'))

/** What it says on its way, at which it is killed; all of them with TEST_KILLS=all. */
const points = [
  'preparing',
  'copying mathesar_django',
  'copying shop',
  'starting a new generation',
  'holding requests back',
  'copying the databases',
  'reading the secrets',
  'connecting to the new database',
  'checking the secret key',
  'migrating the new database',
  "updating Mathesar's functions",
  'proving the new generation',
  'letting go of the copy',
]
const few = ['copying shop', 'copying the databases', 'letting go of the copy']
const kills = process.env.TEST_KILLS === 'all' ? points : few

describeContainer('promote', () => {
  let server: Box
  let other: Box
  let otherPort: number
  let box: Box
  let port: number
  let folder: string
  let wasThere: string
  let wasResolved: string
  beforeAll(async () => {
    ;[server, port] = await startServer()
    folder = await mkdtemp(join(tmpdir(), 'promote-'))
    await writeFile(join(folder, 'admin-url'), `${url()}\n`)
    await build()
  }, 120_000)
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true })
    await cleanUp()
  })

  const query = (box: Box, at: number, database: string, text: string) =>
    box.exec(
      'sh',
      '-c',
      `PGPASSWORD="$PGPASS_TEXT" psql -X -h 127.0.0.1 -p ${at} -U owner -d ${database} -tAc "$0"`,
      text,
    )
  const there = (database: string, text: string) => query(server, port, database, text)
  const onOther = (database: string, text: string) => query(other, otherPort, database, text)
  const startServer = async (folder?: string): Promise<[Box, number]> => {
    const at = await freePort()
    const started = await startDatabaseServer(at, password, folder)
    await until('it answers', async () => (await query(started, at, 'postgres', 'select 1')).exitCode === 0)
    await query(started, at, 'postgres', `CREATE ROLE mover LOGIN CREATEDB CREATEROLE PASSWORD '${mover}'`)
    return [started, at]
  }
  const here = async (database: string, text: string): Promise<string> => {
    const { exitCode, stdout, stderr } = await box.exec(
      'supervisor',
      'psql',
      '-X',
      '-v',
      'ON_ERROR_STOP=1',
      '-d',
      database,
      '-tAc',
      text,
    )
    expect(exitCode, stderr).toBe(0)
    return stdout
  }
  const asSuperuser = (text: string) => box.supervisor('psql', '--superuser', '-d', 'shop', '-c', text)
  const url = (database = 'postgres', at = port): string =>
    `postgres://mover:${encodeURIComponent(mover)}@127.0.0.1:${at}/${database}`

  const build = async (): Promise<void> => {
    // At half past three a backup would have the volume for itself.
    box = await start({ env: { BACKUP_SCHEDULE: 'off' } })
    await box.ready()
    await makeAdmin(box)
    await here('mathesar_django', 'CREATE DATABASE shop')
    await here('shop', built)
    await here('shop', busy)
    await asSuperuser(ofSuperuser)
    const oid = async (name: string): Promise<number> =>
      Number(await here('shop', `SELECT '${name}'::regclass::oid::int`))
    const [first, orders] = [await oid('public.first'), await oid('sales.orders')]
    const sales = Number(await here('shop', "SELECT 'sales'::regnamespace::oid::int"))
    await here(
      'mathesar_django',
      `
      INSERT INTO mathesar_server (host, port, sslmode) VALUES ('/run/mathesar/postgres', NULL, 'prefer');
      INSERT INTO mathesar_database (name, server_id, last_confirmed_sql_version) VALUES ('shop', 1, '1');
      ${stored(first, orders, sales, 999_999)}`,
    )
    await here(
      'mathesar_django',
      `
      INSERT INTO mathesar_configuredrole (name, password, server_id)
        VALUES ('mathesar', NULL, 1), ('alice', 'of alice', 1);
      INSERT INTO mathesar_userdatabaserolemap (user_id, database_id, configured_role_id, server_id)
        SELECT (SELECT id FROM mathesar_user), 1, id, 1 FROM mathesar_configuredrole`,
    )
  }
  /** The commands of a part of the page, as somebody types them. */
  const type = async (title: string) => {
    const page = readFileSync(new URL('../../docs/promote.md', import.meta.url), 'utf8')
    const [, script = ''] = /^```sh\n([^]*?)^```/m.exec(page.slice(page.indexOf(`\n## ${title}\n`))) ?? []
    const typed = script.replace(' mathesar ', ` ${box.id} `).replace('--to -', '--to - --within 60')
    return await execa('bash', ['-euc', typed], { cwd: folder, reject: false, all: true })
  }
  const leftThere = async (): Promise<string> =>
    (
      await there(
        'postgres',
        `SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE datname <> 'postgres'
      AND NOT datistemplate`,
      )
    ).stdout

  it('is refused before anything is made there', async () => {
    const refused = async (to: string, ...words: string[]): Promise<void> => {
      const { exitCode, stderr } = await box.supervisor('promote', '--to', to)
      for (const word of words) expect(stderr).toContain(word)
      expect(stderr).not.toContain(mover)
      expect(exitCode).toBe(88)
    }
    await there('postgres', "CREATE ROLE weak LOGIN CREATEDB PASSWORD 'w'; CREATE ROLE alice")
    await there('postgres', 'CREATE DATABASE shop')
    await refused(url().replace(/mover:[^@]*/, 'weak:w'), 'its user may not create roles', 'ALTER ROLE')
    const drop = 'DROP DATABASE "shop"; DROP ROLE "alice"'
    const whoMay = `a superuser or whoever created it may type \`${drop}\`; mover may not`
    await refused(url(), 'a database shop, a role alice already', whoMay)
    await there('postgres', 'DROP DATABASE shop')
    await there('postgres', 'CREATE ROLE lead')
    await there('postgres', 'CREATE DATABASE shop OWNER lead')
    await there('postgres', 'GRANT alice, lead TO mover WITH ADMIN OPTION')
    await refused(url(), `If nobody needs what is there: \`${drop}\`.`)
    const asMover = ['psql', '-X', '-v', 'ON_ERROR_STOP=1', url()]
    const commands = drop.split('; ').flatMap((command) => ['-c', command])
    const typed = await server.exec(...asMover, ...commands)
    expect(typed.exitCode, typed.stderr).toBe(0)
    await there('postgres', 'DROP ROLE lead; CREATE ROLE alice')
    await here('shop', 'CREATE ROLE mover')
    await refused(url(), 'its user mover has the name of a role that goes along', 'another administrator')
    await here('shop', 'DROP ROLE mover')
    // What Mathesar's role puts in the place of its tables is not read by the superuser.
    await here(
      'mathesar_django',
      `ALTER TABLE mathesar_server RENAME TO real_server;
      CREATE FUNCTION rise() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
        ALTER ROLE mathesar SUPERUSER; RETURN true; EXCEPTION WHEN OTHERS THEN RETURN true; END $$;
      CREATE VIEW mathesar_server AS SELECT * FROM real_server WHERE rise()`,
    )
    await refused(url(), 'a role alice already')
    expect(await here('mathesar_django', "SELECT rolsuper FROM pg_roles WHERE rolname = 'mathesar'")).toBe(
      'f',
    )
    await here(
      'mathesar_django',
      'DROP VIEW mathesar_server; DROP FUNCTION rise; ALTER TABLE real_server RENAME TO mathesar_server',
    )
    await there('postgres', 'DROP ROLE alice, weak')
    await here('mathesar_django', 'ALTER TABLE mathesar_form ADD chart_oid bigint')
    await refused(url(), 'keeps references that are not known here: mathesar_form.chart_oid')
    await here('mathesar_django', 'ALTER TABLE mathesar_form DROP chart_oid')
    expect((await box.supervisor('promote', '--back')).exitCode).toBe(88)
    expect(await leftThere()).toBe('')
    expect(await box.status()).toMatchObject({ database: 'embedded', ready: true })
  })

  it.skipIf(noPooler !== undefined)(
    'is refused where a pooler lends a session for a transaction',
    async () => {
      const pooler = await startPooler({ port, user: 'owner', password })
      try {
        const to = `postgres://owner:${encodeURIComponent(password)}@127.0.0.1:${pooler.port}/postgres`
        const refused = await box.supervisor('promote', '--to', to)
        expect(refused).toMatchObject({
          exitCode: 88,
          stderr: expect.stringContaining('a pooler is in front'),
        })
      } finally {
        await pooler.stop()
      }
    },
  )

  it('that is late, or fails on the way, leaves all as it was, and nothing there', async () => {
    const holding = here('shop', 'BEGIN; INSERT INTO busy.cut VALUES (0); SELECT pg_sleep(100)').catch(
      () => {},
    )
    const late = await box.supervisor('promote', '--to', url(), '--within', '1')
    expect(late).toMatchObject({ exitCode: 89, stderr: expect.stringContaining('not done within 1 s') })
    await here(
      'shop',
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN%sleep%'",
    )
    await holding
    expect(await leftThere()).toBe('')
    await asSuperuser('CREATE PUBLICATION everything FOR ALL TABLES')
    const failed = await box.supervisor('promote', '--to', url(), '--within', '60')
    expect(failed).toMatchObject({ exitCode: 89, stderr: expect.stringContaining('must be superuser') })
    await asSuperuser('DROP PUBLICATION everything')
    expect(await leftThere()).toBe('')
    expect(await box.status()).toMatchObject({ database: 'embedded', ready: true })
  })

  it('that people overtake, who make tables all the time, says so and leaves all as it was', async () => {
    const making = box.sh(`
      n=0; while [ ! -e /tmp/enough ] && [ $n -lt 1000 ]; do n=$((n + 1));
        supervisor psql -X -q -d shop -c "CREATE TABLE busy.made_$n ()" > /dev/null 2>&1 || true
      done`)
    const overtaken = await box.supervisor('promote', '--to', url(), '--within', '60')
    await box.sh('touch /tmp/enough')
    expect((await making).exitCode).toBe(0)
    expect(overtaken.stderr).toContain(
      'tables of shop were made or changed while it was copied: copying it again',
    )
    expect(overtaken.exitCode).toBe(93)
    expect(await leftThere()).toBe('')
    expect(await box.status()).toMatchObject({ database: 'embedded', ready: true })
  })

  it.each(kills)('that is killed at "%s" leaves one side whole and in force', async (point) => {
    const before = asAfterKill(await here('shop', written))
    const typed = execa(
      'docker',
      ['exec', box.id, 'supervisor', 'promote', '--to', url(), '--within', '60'],
      {
        reject: false,
        all: true,
        buffer: false,
      },
    )
    for await (const line of typed.iterable({ from: 'all' })) if (line.includes(point)) break
    await docker('kill', '--signal', 'KILL', box.id)
    await box.startAgain()
    await box.ready()
    const { database } = (await box.status()) as { readonly database: string }
    if (database === 'external') {
      // Foreign keys are proved by this start.
      await until('all is there', async () => asAfterKill((await there('shop', written)).stdout) === before)
      await until('the marks are gone', async () => (await there('postgres', marked)).stdout === '0')
      const back = await box.supervisor('promote', '--back')
      expect(back.exitCode, back.stderr).toBe(0)
      for (const name of ['mathesar_django', 'shop']) await there('postgres', `DROP DATABASE ${name}`)
      await there('postgres', 'DROP ROLE alice, readers, bob, leaver, mathesar')
    }
    expect(await box.status()).toMatchObject({ database: 'embedded', ready: true })
    expect(asAfterKill(await here('shop', written))).toBe(before)
  })

  it('takes everything along that people built, while requests wait', async () => {
    await here('shop', "ALTER ROLE mathesar SET work_mem = '4567kB'")
    const clients = execa('docker', ['exec', '--user', 'mathesar', box.id, 'sh', '-c', steady])
    const removing = box.sh(removeRoles)
    const load = startLoad(box.url('/auth/login/'), 4)
    const writing = box.sh(writer)
    const moved = await type('The move')
    await box.sh('touch /tmp/over')
    await clients
    expect(moved.exitCode, moved.all).toBe(0)
    expect((await writing).stderr).toMatch(/lock timeout|terminating connection/)
    expect(await removing).toMatchObject({ exitCode: 0, stderr: '' })
    const read = async (file: string): Promise<readonly string[]> =>
      (await box.sh(`cat ${file}`)).stdout.split('\n').filter(Boolean)
    for (const file of ['/tmp/acked.1', '/tmp/acked.2']) expect((await read(file)).length).toBeGreaterThan(20)
    const rows = new Set((await there('shop', 'SELECT id FROM busy.acked')).stdout.split('\n'))
    expect((await read('/tmp/acked.*')).filter((id) => !rows.has(id))).toEqual([])
    expect((await read('/tmp/refused')).join('\n')).toContain('read-only transaction')
    expect((await load.stop()).failed).toEqual([])
    expect(await box.status()).toMatchObject({ database: 'external', ready: true, problems: [] })
    expect(`${moved.all}${await box.logs()}`).not.toContain(mover)
    expect(moved.all).toContain('the nightly backup here ends')
    expect(notCarried(moved.all)).toEqual([
      'rights in shop of roles that are not ours there: ' +
        'GRANT SELECT ON TABLE "busy"."keyless" TO "postgres"; ' +
        'ALTER DEFAULT PRIVILEGES FOR ROLE "postgres" GRANT SELECT ON TABLES TO "bob"',
    ])
    expect((await there('shop', 'SELECT n FROM public.forced')).stdout).toBe('1')
    expect((await there('shop', described)).stdout).toBe(asDescribed)
    const after = (await there('shop', resolved)).stdout
    for (const line of ['role bob', 'bob has risen: false', 'everybody may connect'])
      expect(after).toContain(line)
    expect(after).not.toMatch(/leaver|bob in/)
    wasResolved = after
    wasThere = (await there('shop', written)).stdout
    const [firstThere, ordersThere, salesThere] = (
      await there(
        'shop',
        `SELECT 'public.first'::regclass::oid::int, 'sales.orders'::regclass::oid::int,
          'sales'::regnamespace::oid::int`,
      )
    ).stdout.split('|')
    const kept = (query: string) => there('mathesar_django', query).then(({ stdout }) => stdout)
    expect(await kept('SELECT table_oid, column_order FROM mathesar_tablemetadata ORDER BY id')).toBe(
      `${firstThere}|[3, 1]\n${ordersThere}|\n4294967295|`,
    )
    expect(await kept('SELECT table_oid, attnum FROM mathesar_columnmetadata')).toBe(`${firstThere}|3`)
    expect(await kept('SELECT base_table_oid, schema_oid, initial_columns FROM mathesar_explorations')).toBe(
      `${ordersThere}|${salesThere}|[{"alias": "id", "attnum": 1}, {"alias": "kept", "attnum": 3, ` +
        `"join_path": [[[${ordersThere}, 2], [${firstThere}, 1]]]}]`,
    )
    expect(
      await kept(
        'SELECT schema_oid, base_table_oid, related_table_oid FROM mathesar_form, mathesar_formfield',
      ),
    ).toBe(`${salesThere}|${ordersThere}|${firstThere}`)
    expect(await kept('SELECT host, port FROM mathesar_server')).toBe(`127.0.0.1|${port}`)
    const login = await server.sh(
      `PGPASSWORD='of alice' psql -X -h 127.0.0.1 -p ${port} -U alice -d shop ` +
        "-tAc 'select count(*) from sales.orders'",
    )
    expect(login).toMatchObject({ exitCode: 0, stdout: '100' })
  })

  it('goes back, and never removes what people may have worked on', async () => {
    const back = await type('And back')
    expect(back.exitCode, back.all).toBe(0)
    expect(back.all).toContain('stays there, and is not here')
    expect(await box.status()).toMatchObject({ database: 'embedded', ready: true })
    expect(await here('shop', resolved)).toBe(wasResolved)
    await here('shop', 'REFRESH MATERIALIZED VIEW busy.counted')
    expect(await here('shop', written)).toBe(wasThere)
    const again = await type('The move')
    expect(again.all).toContain('a database mathesar_django')
    expect(again.exitCode).toBe(88)
    expect(await leftThere()).toBe('mathesar_django shop')
    // What it says to type works for the user of the URL, who does not own the databases.
    const [, commands] = /needs what is there: `([^`]*)`/.exec(again.all)!
    for (const command of commands!.split('; ').filter((each) => !each.startsWith('DROP ROLE'))) {
      const as = `psql -X -h 127.0.0.1 -p ${port} -U owner -d postgres -qc 'SET SESSION AUTHORIZATION mover'`
      const typed = await server.exec('sh', '-c', `PGPASSWORD="$PGPASS_TEXT" ${as} -c "$0"`, command)
      expect(typed.stderr, command).toBe('')
    }
    expect(await leftThere()).toBe('')
  })

  it('fills databases that somebody else made, and empties them if it fails', async () => {
    await there(
      'postgres',
      "DROP ROLE alice, readers, bob; ALTER ROLE mathesar NOCREATEDB PASSWORD 'of the host'",
    )
    const to = `postgres://mathesar:of%20the%20host@127.0.0.1:${port}/postgres`
    const refused = await box.supervisor('promote', '--to', to)
    const command = 'CREATE DATABASE "shop" OWNER "mathesar" TEMPLATE template0 ENCODING \'UTF8\''
    expect(refused).toMatchObject({
      exitCode: 88,
      stderr: expect.stringContaining('may not create databases'),
    })
    expect(refused.stderr).toContain(command)
    for (const name of ['mathesar_django', 'shop']) await there('postgres', command.replace('"shop"', name))
    await here('shop', 'CREATE DATABASE third')
    expect((await box.supervisor('promote', '--to', to)).stderr).toContain('create databases (third)')
    await here('shop', 'DROP DATABASE third')
    await asSuperuser('CREATE PUBLICATION everything FOR ALL TABLES')
    expect((await box.supervisor('promote', '--to', to, '--within', '60')).exitCode).toBe(89)
    await asSuperuser('DROP PUBLICATION everything')
    expect((await there('shop', "SELECT to_regclass('sales.orders') IS NULL")).stdout).toBe('t')
    const moved = await box.supervisor('promote', '--to', to, '--within', '60')
    expect(moved.exitCode, moved.stderr).toBe(0)
    expect((await there('shop', written)).stdout).toBe(wasThere)
    expect(await box.status()).toMatchObject({ database: 'external', ready: true, problems: [] })
  })

  it('is not left where it is later than pg_dump, but returns from there', async ({ skip }) => {
    const major = (text: string): number => Number(/\d+/.exec(text)?.[0])
    const of = major((await there('postgres', 'SHOW server_version')).stdout)
    const dumps = major((await box.sh('pg_dump --version')).stdout)
    skip(of <= dumps, 'its server is not later')
    const [own, ownPort] = await startServer('')
    const to = url('postgres', ownPort)
    expect(await box.supervisor('promote', '--to', to)).toMatchObject({
      exitCode: 88,
      stderr: expect.stringContaining(`it is Postgres ${of}, and pg_dump of this image is ${dumps}`),
    })
    expect(await box.status()).toMatchObject({ database: 'external', ready: true, problems: [] })
    const back = await box.supervisor('promote', '--back')
    expect(back.exitCode, back.stderr).toBe(0)
    // What follows leaves a server of the image's own version, for one of the later.
    const moved = await box.supervisor('promote', '--to', to, '--within', '60')
    expect(moved.exitCode, moved.stderr).toBe(0)
    server = own
    port = ownPort
  })

  it('goes on to another external server, which is left as it was', async () => {
    ;[other, otherPort] = await startServer()
    const hidden = await box.supervisor('promote', '--to', url('postgres', otherPort))
    expect(hidden.stderr).toContain('what it takes: read and lock public.forced')
    expect(hidden.stderr).toContain('`ALTER ROLE "mathesar" BYPASSRLS`')
    await there('shop', 'ALTER TABLE public.forced NO FORCE ROW LEVEL SECURITY')
    await there('shop', 'CREATE TABLE public.hidden ()')
    const refused = await box.supervisor('promote', '--to', url('postgres', otherPort))
    expect(refused).toMatchObject({
      exitCode: 88,
      stderr: expect.stringContaining('may not do in shop what it takes: read and lock public.hidden'),
    })
    expect(refused.stderr).toContain('`GRANT "owner" TO "mathesar"`')
    expect((await onOther('postgres', 'SELECT count(*) FROM pg_database')).stdout).toBe('3')
    await there('shop', 'DROP TABLE public.hidden')
    // A start of the embedded one has undone that.
    await there('postgres', "ALTER ROLE mathesar SET work_mem = '4567kB'")
    const moved = await box.supervisor('promote', '--to', url('postgres', otherPort), '--within', '60')
    expect(moved.exitCode, moved.stderr).toBe(0)
    expect(notCarried(moved.stderr)).toEqual([
      'the password of role bob: its server does not show it. ' +
        `Type there \`ALTER ROLE "bob" PASSWORD '…'\``,
    ])
    expect(moved.stderr).not.toContain(mover)
    expect((await onOther('shop', resolved)).stdout).toBe(wasResolved)
    expect((await onOther('shop', described)).stdout).toBe(asDescribed)
    expect((await onOther('shop', written)).stdout).toBe(wasThere)
    const [oid] = (await onOther('mathesar_django', 'SELECT base_table_oid FROM mathesar_form')).stdout.split(
      '|',
    )
    expect((await onOther('shop', `SELECT ${oid}::oid::regclass`)).stdout).toBe('sales.orders')
    const login = await other.sh(
      `PGPASSWORD='of alice' psql -X -h 127.0.0.1 -p ${otherPort} -U alice -d shop ` +
        "-tAc 'select count(*) from sales.orders'",
    )
    expect(login).toMatchObject({ exitCode: 0, stdout: '100' })
    expect((await there('shop', 'INSERT INTO busy.cut VALUES (0)')).stderr).toContain('read-only transaction')
    expect(await box.status()).toMatchObject({ database: 'external', ready: true, problems: [] })
  })

  it('returns to the one of before, which takes writes again', async () => {
    const back = await type('And back')
    expect(back.exitCode, back.all).toBe(0)
    expect(back.all).toContain(`works on 127.0.0.1:${port} again`)
    expect(await here('shop', 'INSERT INTO busy.cut VALUES (-1)')).toBe('INSERT 0 1')
    expect((await there('shop', 'DELETE FROM busy.cut WHERE n = -1')).exitCode).toBe(0)
    expect(await box.status()).toMatchObject({ database: 'external', ready: true, problems: [] })
  })

  it('is copied whole for another image, which starts with what is printed', async () => {
    for (const name of ['mathesar_django', 'shop']) await onOther('postgres', `DROP DATABASE ${name}`)
    await onOther('postgres', 'DROP ROLE alice, readers, bob, mathesar')
    const copied = await box.supervisor('export', '--to', url('postgres', otherPort))
    expect(copied.exitCode, copied.stderr).toBe(0)
    expect((await onOther('shop', described)).stdout).toBe(asDescribed)
    expect((await onOther('shop', resolved)).stdout).toBe(wasResolved)
    expect((await onOther('shop', written)).stdout).toBe(wasThere)
    expect((await there('shop', 'INSERT INTO busy.cut VALUES (-1)')).exitCode).toBe(0)
    const env = Object.fromEntries(copied.stdout.split('\n').map((line) => line.split(/=(.*)/s).slice(0, 2)))
    expect(env).toMatchObject({ POSTGRES_PORT: String(otherPort), POSTGRES_USER: 'mathesar' })
    const elsewhere = await start({ image: leanImage, env })
    await elsewhere.ready()
    expect(await elsewhere.status()).toMatchObject({ database: 'external', ready: true, problems: [] })
    expect(await elsewhere.logs()).not.toContain('SECRET_KEY')
    expect(await box.status()).toMatchObject({ database: 'external', ready: true, problems: [] })
    // Nothing of it is removed by another attempt: somebody works on it.
    expect((await box.supervisor('export', '--to', url('postgres', otherPort))).exitCode).toBe(88)
  })
})
