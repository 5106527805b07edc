import { describe, expect, it } from 'vitest'
import {
  cleanUpAfterEach,
  dataFolder,
  docker,
  image,
  logIn,
  makeAdmin,
  mustDocker,
  newVolume,
  onVolume,
  problem,
  start,
} from '../helpers/docker.ts'

/** With the servers of 15 and of this version: `pg-upgrade.Dockerfile` says how it is built. */
const bothImage = process.env.TEST_IMAGE_FROM_15 ?? 'mathesar-one:test-from-15'
const why =
  problem ??
  ((await docker('image', 'inspect', bothImage)).exitCode === 0
    ? undefined
    : `there is no image ${bothImage}`)

const library = `
  CREATE SCHEMA gone; CREATE SCHEMA shelf; DROP SCHEMA gone;
  CREATE TABLE shelf.book (id serial PRIMARY KEY, title text UNIQUE, gone int);
  ALTER TABLE shelf.book DROP COLUMN gone; ALTER TABLE shelf.book ADD COLUMN late int DEFAULT 7;
  INSERT INTO shelf.book (title) SELECT 'title ' || n FROM generate_series(1, 500) n;`

/** What people built in Mathesar, with the numbers that it keeps. */
const built = (table: string, schema: string): string => `
  INSERT INTO mathesar_server (host, sslmode)
    VALUES ('/run/mathesar/postgres', 'prefer'), ('db.example.org', 'prefer');
  INSERT INTO mathesar_database (name, server_id, last_confirmed_sql_version) VALUES
    ('library', 1, '0.0.1'), ('library', 2, '0.0.1');
  INSERT INTO mathesar_explorations (name, initial_columns, database_id, base_table_oid, schema_oid)
    VALUES ('all', '[]', 1, ${table}, ${schema});
  INSERT INTO mathesar_form (database_id, base_table_oid, schema_oid) VALUES
    (1, ${table}, ${schema}), (2, 1, ${schema});`

const state = `
  SELECT 'shelf.book'::regclass::oid, string_agg(attname || attnum, ' ' ORDER BY attnum) FROM pg_attribute
    WHERE attrelid = 'shelf.book'::regclass AND attnum > 0 AND NOT attisdropped;
  SELECT count(*), sum(id), sum(late), md5(string_agg(title, ',' ORDER BY id)) FROM shelf.book`

describe.skipIf(why !== undefined)(
  why === undefined ? 'another major version of Postgres' : `another major version (skipped: ${why})`,
  () => {
    cleanUpAfterEach()

    it('comes to a volume whole, with what Mathesar keys by number, and goes back', async () => {
      const volume = await newVolume()
      const asOld = { SUPERVISOR_POSTGRES_BIN: '/usr/lib/postgresql/15/bin', SUPERVISOR_SHARE: '/none' }
      const old = await start({ volume, image: bothImage, env: asOld })
      await old.ready()
      await makeAdmin(old)
      const sql = async (box: typeof old, database: string, text: string): Promise<string> => {
        const { stdout, stderr } = await box.supervisor('psql', '-qtA', '-d', database, '-c', text)
        expect(stderr).toBe('')
        return stdout.trim()
      }
      await sql(old, 'mathesar_django', 'CREATE DATABASE library')
      await sql(old, 'library', library)
      const numbers = `SELECT 'shelf.book'::regclass::oid, 'shelf'::regnamespace::oid`
      const [table = '', schema = ''] = (await sql(old, 'library', numbers)).split('|')
      await sql(old, 'mathesar_django', built(table, schema))
      await sql(old, 'mathesar_django', "CREATE ROLE ann LOGIN PASSWORD 'x'")
      const before = await sql(old, 'library', state)
      await old.signal('KILL')
      await old.ended()

      const refused = await start({ volume })
      expect(await refused.ended()).toBe(33)
      expect(await refused.logs()).toContain('IMAGE upgrade-postgres`')
      const upgrade = ['--network=none', `--volume=${volume}:${dataFolder}`, bothImage, 'upgrade-postgres']
      for (const seconds of ['0.5', '2']) {
        const name = `${volume}-${seconds}`
        await mustDocker('run', '--detach', '--name', name, ...upgrade)
        await mustDocker('run', '--rm', '--network=none', '--entrypoint=sleep', image, seconds)
        await docker('rm', '--force', name)
        expect(await onVolume(volume, 'cat postgres/PG_VERSION')).toMatch(/^1[57]$/)
      }
      const upgraded = await docker('run', '--rm', ...upgrade)
      expect(upgraded.stderr).toMatch(/upgraded: Postgres 15 → 17|is of Postgres 17 already/)

      const box = await start({ volume })
      await box.ready()
      await logIn(box)
      expect(await sql(box, 'library', state)).toBe(before)
      const [, now = ''] = (await sql(box, 'library', numbers)).split('|')
      expect(now).not.toBe(schema)
      expect(
        await sql(
          box,
          'mathesar_django',
          `SELECT schema_oid FROM mathesar_explorations UNION ALL
            SELECT schema_oid FROM (SELECT * FROM mathesar_form ORDER BY id) AS form`,
        ),
      ).toBe(`${now}\n${now}\n${schema}`)
      await sql(box, 'mathesar_django', 'CREATE ROLE bob; GRANT ann TO bob')
      expect(await box.logs()).toContain('indexes of database library were rebuilt')
      expect((await box.stop()).exitCode).toBe(0)

      await mustDocker('run', '--rm', `--volume=${volume}:${dataFolder}`, image, 'restore', '--undo')
      const again = await start({ volume, image: bothImage, env: asOld })
      await again.ready()
      expect(await sql(again, 'library', state)).toBe(before)
      await again.stop()
    })
  },
)
