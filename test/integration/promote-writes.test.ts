import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Socket } from 'node:net'
import { whileFrozen } from '../../src/operations/promote/freeze.ts'
import { finishLeft } from '../../src/operations/promote/promote.ts'
import { inTarget } from '../../src/operations/promote/target.ts'
import { forgetLeft, type Left, rememberLeft } from '../../src/units/left.ts'
import { readPromotion, writePromotion } from '../../src/units/promotion.ts'
import { postgresBin, until } from '../helpers/daemon.ts'
import { startMoves } from '../helpers/moves.ts'

const counts = "SELECT FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'"

const socketOf = (client: object): Socket =>
  (client as { readonly connection: { readonly stream: Socket } }).connection.stream

describe.skipIf(postgresBin === undefined)('a move', () => {
  let moves: Awaited<ReturnType<typeof startMoves>>
  beforeAll(async () => {
    moves = await startMoves()
  })
  afterAll(async () => {
    await moves?.stop()
  })
  beforeEach(async () => {
    await moves.left.query('DROP DATABASE IF EXISTS shop WITH (FORCE)')
    await moves.left.query('CREATE DATABASE shop')
  })
  const here = (text: string) => moves.left.query(text, 'shop')
  const there = (text: string) => moves.other.query(text, 'shop')
  /** Somebody waits for a lock. */
  const isWaiting = async (): Promise<boolean> =>
    (await here('SELECT FROM pg_locks WHERE NOT granted')).length > 0

  test('takes along what was acknowledged while it waited, however transactions begin there', async () => {
    await here(`CREATE TABLE acked (n int PRIMARY KEY); INSERT INTO acked VALUES (1);
      ALTER DATABASE shop SET default_transaction_isolation = 'repeatable read'`)
    const session = await moves.openSession('shop')
    await session.query('BEGIN; INSERT INTO acked VALUES (2)')
    const committed = until('the move to wait', isWaiting).then(() => session.query('COMMIT'))
    await moves.move()
    await committed
    await session.end()
    expect(await there('SELECT n FROM acked ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }])
  })

  test('whose process is gone lets people write, whatever it had asked for', async () => {
    await here('CREATE TABLE written (n int PRIMARY KEY)')
    await whileFrozen(moves.scope, ['shop'], async ([frozen]) => {
      const counting = frozen!.client.query('SELECT pg_sleep(60)').catch(() => {})
      await until('it to count', async () => (await here(counts)).length > 0)
      socketOf(frozen!.client).destroy()
      await counting
    }).catch(() => {})
    await here("SET lock_timeout = '10s'; INSERT INTO written VALUES (1)")
  })

  test('is refused where a role writes whatever its database says', async () => {
    await here(`CREATE ROLE third LOGIN; CREATE ROLE "of all"; CREATE ROLE elsewhere; CREATE ROLE reader;
      ALTER ROLE third IN DATABASE shop SET default_transaction_read_only = off;
      ALTER ROLE "of all" SET default_transaction_read_only = f;
      ALTER ROLE elsewhere IN DATABASE postgres SET default_transaction_read_only = off;
      ALTER ROLE reader SET default_transaction_read_only = yes`)
    try {
      await expect(moves.move({ isLeft: true })).rejects.toMatchObject({
        code: 'PROMOTE_REFUSED',
        message: expect.stringContaining('of all, third'),
        hint: expect.stringContaining(
          '`ALTER ROLE "of all" RESET default_transaction_read_only; ' +
            'ALTER ROLE third IN DATABASE shop RESET default_transaction_read_only`',
        ),
      })
    } finally {
      await moves.left.query('DROP ROLE third, "of all", elsewhere, reader')
    }
  })

  test('gives each table its own rows, also where two swap names while they are copied', async () => {
    await here(`CREATE SCHEMA a; CREATE SCHEMA b;
      CREATE TABLE public.one (n int PRIMARY KEY); CREATE TABLE public.two (n int PRIMARY KEY);
      CREATE TABLE a.t (n int PRIMARY KEY); CREATE TABLE b.t (n int PRIMARY KEY);
      INSERT INTO one VALUES (1); INSERT INTO two VALUES (2); INSERT INTO a.t VALUES (3);
      INSERT INTO b.t VALUES (4)`)
    await moves.move({
      meanwhile: () =>
        here(`ALTER TABLE one RENAME TO aside; ALTER TABLE two RENAME TO one; ALTER TABLE aside RENAME TO two;
          ALTER TABLE one RENAME CONSTRAINT two_pkey TO aside;
          ALTER TABLE two RENAME CONSTRAINT one_pkey TO two_pkey;
          ALTER TABLE one RENAME CONSTRAINT aside TO one_pkey;
          ALTER SCHEMA a RENAME TO aside; ALTER SCHEMA b RENAME TO a; ALTER SCHEMA aside RENAME TO b`),
    })
    const rows = `SELECT (SELECT n FROM one) AS one, (SELECT n FROM two) AS two, (SELECT n FROM a.t) AS a,
      (SELECT n FROM b.t) AS b`
    expect(await there(rows)).toEqual([{ one: 2, two: 1, a: 4, b: 3 }])
    expect(await here(rows)).toEqual([{ one: 2, two: 1, a: 4, b: 3 }])
  })

  test('whose connection breaks while foreign keys are proved is proved by the next start', async () => {
    await here(`CREATE TABLE parent (n int PRIMARY KEY); CREATE TABLE child (n int);
      ALTER TABLE child ADD CONSTRAINT one FOREIGN KEY (n) REFERENCES parent NOT VALID,
        ADD CONSTRAINT two FOREIGN KEY (n) REFERENCES parent NOT VALID`)
    const commands = ['one', 'two'].map((name) => `ALTER TABLE child VALIDATE CONSTRAINT ${name}`)
    const left: Left = { url: null, closed: [], toFinish: [{ name: 'shop', commands }] }
    rememberLeft(moves.scope, left)
    const said: string[] = []
    const finish = (): Promise<void> => finishLeft(moves.scope, { say: (text) => void said.push(text) })
    const session = await moves.openSession('shop')
    await session.query('BEGIN; LOCK TABLE child')
    const finishing = finish().catch((error: unknown) => error)
    await until('it to wait', isWaiting)
    await here('SELECT pg_terminate_backend(pid) FROM pg_locks WHERE NOT granted')
    expect(await finishing).toMatchObject({ code: 'PROMOTE_FAILED' })
    await session.end()
    await finish()
    expect(await here("SELECT conname FROM pg_constraint WHERE contype = 'f' AND NOT convalidated")).toEqual(
      [],
    )
    expect(said).toEqual([])
    forgetLeft(moves.scope, left)
  })

  test('takes rows along that a check would let in no more, also those that were just touched', async () => {
    await here(`CREATE TABLE checked (n int PRIMARY KEY, kept text); INSERT INTO checked VALUES (-1, 'old');
      ALTER TABLE checked ADD CONSTRAINT above CHECK (n > 0) NOT VALID;
      COMMENT ON CONSTRAINT above ON checked IS 'from now on'`)
    const session = await moves.openSession('shop')
    // Only locked, so that it is not checked here; but it is put in again there.
    await moves.move({ meanwhile: () => session.query('SELECT FROM checked FOR UPDATE') })
    await session.end()
    expect(await there('SELECT n FROM checked')).toEqual([{ n: -1 }])
    expect(
      await there(`SELECT convalidated AS is_valid, obj_description(oid) AS comment FROM pg_constraint
        WHERE conname = 'above'`),
    ).toEqual([{ is_valid: false, comment: 'from now on' }])
  })

  test('removes what an attempt by another name of the server has left', async () => {
    await here('CREATE TABLE moved ()')
    await moves.move()
    writePromotion(moves.scope, { ...readPromotion(moves.scope)!, host: 'localhost' })
    await moves.move()
    expect(await there("SELECT to_regclass('moved') IS NOT NULL AS is")).toEqual([{ is: true }])
  })

  test('copies again where the numbers of columns are others since, though nothing else is', async () => {
    await here('CREATE TABLE gaps (n int PRIMARY KEY)')
    let copies = 0
    const addAndDrop = 'ALTER TABLE gaps ADD COLUMN gone int; ALTER TABLE gaps DROP COLUMN gone'
    const { said } = await moves.move({ meanwhile: async () => copies++ === 0 && (await here(addAndDrop)) })
    expect([copies, said.filter((text) => text.endsWith('copying it again'))]).toEqual([
      2,
      [expect.any(String)],
    ])
    expect(
      await there("SELECT attnum FROM pg_attribute WHERE attrelid = 'gaps'::regclass AND attisdropped"),
    ).toEqual([{ attnum: 2 }])
  })

  test('takes as long as it takes, whatever limits the host has for sessions', async () => {
    const limits = await moves.other.query(`SELECT name FROM pg_settings WHERE name IN ('statement_timeout',
      'lock_timeout', 'idle_in_transaction_session_timeout', 'idle_session_timeout', 'transaction_timeout')
      ORDER BY 1`)
    const each = (command: string): string =>
      limits.map(({ name }) => `${command} ${String(name)}`).join('; ')
    await here(`CREATE FUNCTION is_slow(n int) RETURNS boolean LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_catalog.pg_sleep(2.5); RETURN true; END $$;
      CREATE TABLE slow (n int PRIMARY KEY CHECK (public.is_slow(n))); INSERT INTO slow VALUES (1);
      CREATE MATERIALIZED VIEW seen AS SELECT public.is_slow(2)`)
    await moves.other.query(each('ALTER ROLE ALL SET').replaceAll(/_timeout(?=;|$)/g, "_timeout = '2s'"))
    try {
      await moves.move({ meanwhile: () => here('INSERT INTO slow VALUES (2)') })
      const told = await inTarget(moves.scope, moves.url, 'postgres', async (client) => {
        const names = limits.map(({ name }) => name)
        const asked = 'SELECT name, setting FROM pg_settings WHERE name = ANY ($1) ORDER BY 1'
        return (await client.query(asked, [names])).rows
      })
      expect(told).toEqual(limits.map(({ name }) => ({ name, setting: '0' })))
    } finally {
      await moves.other.query(each('ALTER ROLE ALL RESET'))
    }
    expect(await there('SELECT n FROM slow ORDER BY n')).toEqual([{ n: 1 }, { n: 2 }])
  })

  test('is stopped by no comment, whatever that looks like', async () => {
    const entry = '\n--\n-- Name: t; Type: TRIGGER; Schema: public; Owner: -\n--\n\n'
    await here(`CREATE TABLE noted (n int PRIMARY KEY);
      COMMENT ON INDEX noted_pkey IS E'${`${entry}CREATE TABLE risen ();\n--`.replaceAll('\n', '\\n')}'`)
    await moves.move()
    expect(await there("SELECT to_regclass('risen') AS risen")).toEqual([{ risen: null }])
    expect(await there("SELECT obj_description('noted_pkey'::regclass) AS comment")).toEqual([
      { comment: `${entry}CREATE TABLE risen ();\n--` },
    ])
  })
})
