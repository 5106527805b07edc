import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Box, cleanUp, describeContainer, docker, newVolume, start, until } from '../helpers/docker.ts'

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

describeContainer('an undo', () => {
  let box: Box
  beforeAll(async () => {
    box = await start({ env: { UNDO_SPACE: '256' } })
    await box.ready()
    await makeShop(box)
  })
  afterAll(cleanUp)

  it('is refused as long as nothing is kept, and changes nothing', async () => {
    const refused = await box.supervisor('undo', '10m')
    expect(refused.exitCode).toBe(90)
    expect(refused.stderr).toContain('cannot undo: nothing is kept to go back with yet')
  })

  it('lists what was destroyed, and brings back the table from just before it was dropped', async () => {
    await keepNow(box)
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
    expect((await box.status()).undo).toEqual({ from: null })

    await must(box, 'undo', '--back')
    expect(await ask(box, `SELECT to_regclass('invoices') IS NULL`)).toBe('t')
    expect((await box.status()).undo?.from).toMatch(/^20/)
  })

  it('has every acknowledged row of before a moment under load, and none of after it', async () => {
    for (let point = 0; point < points; point++) {
      await keepNow(box)
      await docker('exec', '--detach', box.id, 'supervisor', 'psql', '-d', 'shop', '-c', load)
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
    const box = await start({ volume: await newVolume(420), env: { UNDO_SPACE: '128' } })
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
