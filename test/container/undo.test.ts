import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  type Box,
  cleanUp,
  describeContainer,
  docker,
  makeAdmin,
  newVolume,
  start,
  until,
} from '../helpers/docker.ts'

/** How many moments under load are gone back to, and how often an undo is cut off. */
const points = Number(process.env.UNDO_POINTS ?? 1)
const kills = Number(process.env.UNDO_KILLS ?? 1)

const ask = async (box: Box, sql: string, database = 'shop'): Promise<string> => {
  const { exitCode, stdout, stderr } = await box.supervisor(
    'psql',
    '-d',
    database,
    '-v',
    'ON_ERROR_STOP=1',
    '-tAc',
    sql,
  )
  if (exitCode !== 0) throw new Error(stderr)
  return stdout
}

const must = async (box: Box, ...args: string[]): Promise<string> => {
  const { exitCode, stdout, stderr } = await box.supervisor(...args)
  expect(`${exitCode} ${stderr}`).toMatch(/^0 /)
  return stdout
}

/** Has a base made at once: the keeper would take half a minute. */
const keepNow = (box: Box): Promise<string> => must(box, 'undo', '--scheduled')

/** Each row has its moment, and is acknowledged before the next one has its own. */
const load = `
  DO $$ BEGIN
    LOOP
      INSERT INTO ticks (at) VALUES (clock_timestamp());
      COMMIT;
    END LOOP;
  END $$`

const makeShop = async (box: Box): Promise<void> => {
  await ask(box, 'CREATE DATABASE shop OWNER mathesar', 'postgres')
  await ask(box, 'CREATE TABLE invoices AS SELECT id FROM generate_series(1, 1000) AS id')
  await ask(box, 'CREATE TABLE ticks (id bigserial PRIMARY KEY, at timestamptz NOT NULL)')
}

/** md5 of 3. */
const nameOf3 = 'eccbc87e4b5ce2fe28308fd9f2a7baf3'

/** What Mathesar stores of a database with two people, of whom one has another role. */
const peopleOfShop = `
  CREATE ROLE alice LOGIN PASSWORD 'old word'; CREATE ROLE bob LOGIN;
  INSERT INTO mathesar_server (host, sslmode) VALUES ('/run/mathesar/postgres', 'prefer');
  INSERT INTO mathesar_database (name, nickname, server_id, last_confirmed_sql_version)
    VALUES ('shop', 'Shop', 1, '0'), ('later', NULL, 1, '0');
  INSERT INTO mathesar_configuredrole (name, password, server_id)
    VALUES ('mathesar', NULL, 1), ('alice', 'new word', 1);
  INSERT INTO mathesar_userdatabaserolemap (user_id, database_id, configured_role_id, server_id)
    SELECT (SELECT id FROM mathesar_user), 1, id, 1 FROM mathesar_configuredrole;
  INSERT INTO mathesar_tablemetadata (database_id, table_oid, column_order) VALUES (1, 16444, '[2, 1]')`

/** As Mathesar connects for them. */
const lookAsPeople = `
from mathesar.models.base import TableMetaData, UserDatabaseRoleMap
for who in UserDatabaseRoleMap.objects.filter(server__host="/run/mathesar/yesterday").order_by("id"):
    with who.connection as there:
        name = there.execute("SELECT name FROM customers WHERE id = 3").fetchone()[0]
    order = TableMetaData.objects.get(database=who.database).column_order
    print("seen", who.configured_role.name, order, "in", who.database.nickname + ":", name)`

/** How many servers Mathesar knows beside its own, and the folder of a moment. */
const leftOfPast = async (box: Box): Promise<string> => {
  const known = await ask(box, `SELECT count(*) - 1 FROM mathesar_server`, 'mathesar_django')
  return `${known} ${(await box.sh('ls -d /var/lib/mathesar/past 2>/dev/null')).stdout}`
}

describeContainer('an undo', () => {
  let box: Box
  beforeAll(async () => {
    box = await start({ env: { UNDO_SPACE: '256', BACKUP_SCHEDULE: 'off' } })
    await box.ready()
    await makeShop(box)
  })
  afterAll(cleanUp)

  it('is refused as long as nothing is kept, and changes nothing', async () => {
    const refused = await box.supervisor('undo', '10m')
    expect(refused.exitCode).toBe(90)
    expect(refused.stderr).toContain('cannot go back: nothing is kept for it yet')
    expect(refused.stderr).toContain('The first copy is made half a minute after the start')
  })

  it('lists what was destroyed, and brings back the table from just before it was dropped', async () => {
    await keepNow(box)
    expect(await must(box, 'undo', 'list')).toMatch(
      /\n.* was dropped or deleted\. .* within ten minutes is not/,
    )
    const unknown = await box.supervisor('undo', '--before', 'DROP TABLE nobody')
    expect([unknown.exitCode, unknown.stderr]).toEqual([90, expect.stringContaining('within ten minutes')])
    await ask(box, 'INSERT INTO invoices VALUES (1001)')
    await ask(box, 'INSERT INTO ticks (at) VALUES (now())')
    await ask(box, 'DELETE FROM invoices WHERE id <= 12')
    await ask(box, 'VACUUM FULL ticks')
    await ask(box, 'DROP TABLE invoices')
    await ask(box, 'TRUNCATE ticks')
    const lines = (await must(box, 'undo', 'list')).split('\n').slice(2)
    expect(lines.map((line) => line.replace(/^[-\d]+ [:.\d]+ +/, ''))).toEqual([
      'DELETE 12 rows of public.invoices in shop',
      'DROP TABLE public.invoices in shop',
      'TRUNCATE public.ticks in shop',
    ])
    await must(box, 'undo', '--before', 'drop table invoices')
    await box.ready()
    expect(await ask(box, 'SELECT count(*), max(id) FROM invoices')).toBe('989|1001')
    expect((await box.status()).undo).toEqual({ from: null, serves: null })

    await must(box, 'undo', '--back')
    expect(await ask(box, `SELECT to_regclass('invoices') IS NULL`)).toBe('t')
    expect((await box.status()).undo?.from).toMatch(/^20/)
  })

  it('is served read-only beside today to those who may use it today, and a row is copied over', async () => {
    await makeAdmin(box)
    await ask(box, peopleOfShop, 'mathesar_django')
    await ask(
      box,
      'CREATE TABLE customers AS SELECT n AS id, md5(n::text) AS name FROM generate_series(1, 9) n',
    )
    await ask(box, 'GRANT SELECT ON customers TO alice')
    await keepNow(box)
    const at = await ask(box, `SELECT to_char(clock_timestamp(), 'YYYY-MM-DD"T"HH24:MI:SS.USOF')`)
    await ask(box, `UPDATE customers SET name = 'gone'; DROP ROLE bob; ALTER ROLE alice PASSWORD 'new word'`)
    const told = await must(box, 'yesterday', at.replace('+00', 'Z'), '--for', '5m')
    expect(told).toBe('')
    expect((await box.status()).undo?.serves?.at.slice(0, 19)).toBe(at.slice(0, 19))

    const past = ['-h', '/run/mathesar/yesterday', '-d', 'shop']
    const refused = await box.supervisor('psql', ...past, '-c', 'BEGIN READ WRITE; DELETE FROM customers')
    expect(refused.stderr).toContain('cannot set transaction read-write mode during recovery')
    const ofBob = `SELECT rolcanlogin FROM pg_roles WHERE rolname = 'bob'`
    expect((await box.supervisor('psql', ...past, '-tAc', ofBob)).stdout).toBe('f')
    const known = 'SELECT name FROM mathesar_database WHERE server_id <> 1'
    expect(await ask(box, known, 'mathesar_django')).toBe('shop')
    const seen = await box.supervisor('manage', 'shell', '-c', lookAsPeople)
    expect(seen.stdout.split('\n').filter((line) => line.startsWith('seen '))).toEqual([
      `seen mathesar [2, 1] in Shop, ${at.slice(0, 16).replace('T', ' ')} UTC: ${nameOf3}`,
      `seen alice [2, 1] in Shop, ${at.slice(0, 16).replace('T', ' ')} UTC: ${nameOf3}`,
    ])

    const copied = String.raw`\copy (SELECT * FROM customers WHERE id = 3) TO STDOUT`
    await box.sh(`supervisor psql ${past.join(' ')} -c '${copied}' |
      supervisor psql -d shop -c 'DELETE FROM customers WHERE id = 3' -c '\\copy customers FROM STDIN'`)
    expect(await ask(box, `SELECT id, name FROM customers WHERE name <> 'gone'`)).toBe(`3|${nameOf3}`)

    const second = await box.supervisor('yesterday', '1m')
    expect(`${second.exitCode} ${second.stderr}`).toMatch(/^90 .*is served\n.*yesterday --end/s)
    await must(box, 'yesterday', '--end')
    expect(await leftOfPast(box)).toBe('0 ')
  })

  it('that is served is gone after a kill', async () => {
    await must(box, 'yesterday', '1s')
    expect(await leftOfPast(box)).toBe('1 /var/lib/mathesar/past')
    await docker('kill', box.id)
    await box.startAgain()
    await box.ready()
    await until('nothing of it is left', async () => (await leftOfPast(box)) === '0 ')
  })

  it('has every acknowledged row of before a moment under load, and none of after it', async () => {
    for (let point = 0; point < points; point++) {
      await keepNow(box)
      const newest = 'SELECT coalesce(max(id), 0) FROM ticks'
      const before = await ask(box, newest)
      await docker('exec', '--detach', box.id, 'supervisor', 'psql', '-d', 'shop', '-c', load)
      await until('it writes', async () => (await ask(box, newest)) !== before)
      await delay(500 + Math.random() * 2500)
      const moment = `(SELECT to_char((min(at) + random() * (max(at) - min(at))) AT TIME ZONE 'UTC',
        'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') FROM (SELECT at FROM ticks ORDER BY id DESC LIMIT 2000) AS last)`
      const at = await ask(box, `SELECT ${moment}`)
      const told = await box.supervisor('undo', '--to', at)
      expect(`${told.exitCode} ${told.stderr}`).toMatch(/^0 /)
      const [late, last] = (
        await ask(box, `SELECT count(*) FILTER (WHERE at > '${at}'), max(id) FROM ticks`)
      ).split('|')
      expect(late).toBe('0')
      await must(box, 'undo', '--back')
      const missed = await ask(box, `SELECT count(*) FROM ticks WHERE id > ${last} + 1 AND at <= '${at}'`)
      expect(`${at} ${missed}`).toBe(`${at} 0`)
    }
  })

  it('that is killed leaves the one state or the other, whole', async () => {
    for (let kill = 0; kill < kills; kill++) {
      await keepNow(box)
      await ask(box, 'CREATE TABLE doomed AS SELECT 1 AS id')
      await keepNow(box)
      await ask(box, 'DROP TABLE doomed')
      const undone = box.supervisor('undo', '--before', 'DROP TABLE doomed')
      await delay(500 + Math.random() * 6000)
      await docker('kill', box.id)
      await undone
      await box.startAgain()
      await box.ready()
      expect(await ask(box, 'SELECT count(*) > 0 FROM ticks')).toBe('t')
      await ask(box, 'DROP TABLE IF EXISTS doomed')
    }
  })
})

describeContainer('a volume that runs full', () => {
  afterAll(cleanUp)

  it('takes what is kept for an undo, and Postgres goes on', async () => {
    const box = await start({
      volume: await newVolume(420),
      env: { UNDO_SPACE: '128', BACKUP_SCHEDULE: 'off' },
    })
    await box.ready()
    await makeShop(box)
    await keepNow(box)
    const files = (): Promise<string> => box.sh('ls /var/lib/mathesar').then(({ stdout }) => stdout)
    expect(await files()).toContain('undo')
    await box.sh(`
      free=$(df --output=avail -m /var/lib/mathesar | tail -1)
      head -c $(((free - 100) * 1048576)) /dev/zero > /var/lib/mathesar/ballast`)
    await until('the space is given back', async () => !(await files()).includes('undo'))
    expect(await box.logs()).toContain('the volume is nearly full: what `supervisor undo` needs is given up')
    expect(await ask(box, 'SHOW wal_keep_size')).toBe('0')
    for (let round = 0; round < 5; round++)
      await ask(box, 'CREATE TABLE big AS SELECT * FROM generate_series(1, 200000); DROP TABLE big')
    expect(await box.unit('postgres')).toMatchObject({ state: 'ready', restarts: 0 })
  })
})
