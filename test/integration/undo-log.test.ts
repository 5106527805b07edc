import { execFileSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  type Commit,
  type LogFile,
  type LogVisitor,
  readChange,
  type RowChange,
} from '../../src/operations/undo/log-changes.ts'
import { LogRecords } from '../../src/operations/undo/log-records.ts'
import { formatLsn, parseLsn, segmentName, segmentOf } from '../../src/units/postgres/lsn.ts'
import { createStreams } from '../../src/system/streams.ts'
import { postgresBin } from '../helpers/daemon.ts'
import { startPostgres } from '../helpers/postgres.ts'

type Server = Awaited<ReturnType<typeof startPostgres>>

/** Of each kind of record that is read, and what must be passed over: other ones, long ones, empty files. */
const work = [
  'CREATE TABLE t (id int PRIMARY KEY, x text)',
  "INSERT INTO t SELECT n, repeat('x', n % 700) FROM generate_series(1, 30000) n",
  'CREATE INDEX ON t (x)',
  'UPDATE t SET x = x WHERE id % 7 = 0',
  'DELETE FROM t WHERE id % 11 = 0',
  'SELECT pg_switch_wal()',
  `BEGIN; DELETE FROM t WHERE id = 1; SAVEPOINT a; DELETE FROM t WHERE id = 2; ROLLBACK TO a;
    SAVEPOINT b; UPDATE t SET x = 'y' WHERE id < 30; RELEASE b; COMMIT`,
  `DO $$ BEGIN
    FOR n IN 100..400 LOOP
      BEGIN DELETE FROM t WHERE id = n; EXCEPTION WHEN division_by_zero THEN NULL; END;
    END LOOP;
  END $$`,
  'BEGIN; DELETE FROM t WHERE id < 5000; ROLLBACK',
  "SELECT pg_logical_emit_message(true, 'a', repeat('x', 3000000))",
  "SELECT pg_logical_emit_message(false, 'a', repeat('x', 300000))",
  'VACUUM t',
  'CHECKPOINT',
  'UPDATE t SET x = x WHERE id % 5 = 0',
  'VACUUM FULL t',
  'CREATE TABLE gone AS SELECT * FROM t',
  'TRUNCATE t',
  'DROP TABLE gone',
  'CREATE DATABASE other',
  'DROP DATABASE other',
]

const ofPath = (path: string): string => /(\d+\/\d+)$/.exec(path)![1]!
const timeOf = (text: string): number => Date.parse(`${text.replace(' ', 'T')}Z`)

/** What one line of pg_waldump says, in our words. */
const inOurWords = (line: string): readonly string[] => {
  const [, manager = '', xid = '', lsn = '', text = ''] =
    /^rmgr: (\w+) .*?, tx: +(\d+), lsn: ([0-9A-F]+\/[0-9A-F]+), .*?desc: (.*)$/.exec(line) ?? []
  if (['Heap', 'Heap2', 'XLOG'].includes(manager)) {
    const [, file] = /rel \d+\/(\d+\/\d+)/.exec(text) ?? []
    if (file === undefined || xid === '0') return []
    if (text.startsWith('DELETE')) return [`${xid} deleted ${file}`]
    return [`${xid} ${/^(HOT_)?UPDATE/.test(text) ? 'updated' : 'written'} ${file}`]
  }
  const [, created] = /^CREATE (base\/\d+\/\d+)$/.exec(text) ?? []
  if (created !== undefined) return [`${xid} created ${ofPath(created)}`]
  const [, database] = /^DROP dir \d+\/(\d+)/.exec(text) ?? []
  if (database !== undefined) return [`${formatLsn(parseLsn(lsn))} dropped ${database}`]
  const [, end, at = ''] = /^(COMMIT|ABORT) (\S+ \S+) UTC/.exec(text) ?? []
  if (end === undefined) return []
  const parts = /; subxacts:((?: \d+)+)/.exec(text)?.[1]?.trim().split(' ') ?? []
  const files = /; rels:((?: base\/\d+\/\w+)+)/.exec(text)?.[1]?.trim().split(' ').map(ofPath) ?? []
  const commit = end === 'COMMIT' ? ` ${timeOf(at)} ${files.join()}` : ''
  return [`${xid} ${formatLsn(parseLsn(lsn))} ended ${parts.join()}${commit}`]
}

class Told implements LogVisitor {
  readonly lines: string[] = []
  row(xid: number, change: RowChange, database: number, file: number): void {
    this.lines.push(`${xid} ${change} ${database}/${file}`)
  }
  created(xid: number, { database, file }: LogFile): void {
    this.lines.push(`${xid} created ${database}/${file}`)
  }
  databaseDropped(lsn: number, database: number): void {
    this.lines.push(`${formatLsn(lsn)} dropped ${database}`)
  }
  ended(xid: number, lsn: number, parts: readonly number[], commit: Commit | undefined): void {
    const files = commit?.dropped.map(({ database, file }) => `${database}/${file}`).join()
    const rest = commit === undefined ? '' : ` ${commit.atMs} ${files}`
    this.lines.push(`${xid} ${formatLsn(lsn)} ended ${parts.join()}${rest}`)
  }
}

const readOurs = async (pgWal: string, from: string, to: string): Promise<readonly string[]> => {
  const told = new Told()
  const segmentBytes = 16 * 1024 * 1024
  const part = { segmentBytes, fromLsn: parseLsn(from), toLsn: parseLsn(to) }
  const records = new LogRecords(part, (record) => readChange(record, told))
  const { readBlocks } = createStreams({} as Parameters<typeof createStreams>[0])
  for (let lsn = part.fromLsn - (part.fromLsn % segmentBytes); lsn < part.toLsn; lsn += segmentBytes) {
    let at = lsn
    const name = segmentName(segmentOf(lsn, { segmentBytes }), { timeline: 1, segmentBytes })
    for await (const pages of readBlocks(`${pgWal}/${name}`, Buffer.alloc(1024 * 1024))) {
      records.take(pages, at)
      at += pages.length
    }
  }
  return told.lines
}

const why = postgresBin === undefined ? ' (skipped: no Postgres server)' : ''
describe.skipIf(postgresBin === undefined)(`Postgres's log${why}`, () => {
  let server: Server
  beforeAll(async () => {
    server = await startPostgres('owner', 'secret')
    await server.query("ALTER SYSTEM SET wal_keep_size = '1GB'")
    await server.query('SELECT pg_reload_conf()')
  })
  afterAll(() => server.stop())

  const lsnNow = async (): Promise<string> => {
    const [row] = await server.query('SELECT pg_current_wal_flush_lsn()::text AS lsn')
    return row!.lsn as string
  }

  test('is read as pg_waldump reads it', async () => {
    const from = await lsnNow()
    for (const statement of work) await server.query(statement)
    await server.query('SELECT pg_current_xact_id()')
    const to = await lsnNow()
    const pgWal = `${server.data}/pg_wal`
    const dump = execFileSync(
      `${postgresBin}/pg_waldump`,
      [`--path=${pgWal}`, `--start=${from}`, `--end=${to}`],
      { env: { TZ: 'UTC' }, maxBuffer: 1e9, stdio: ['ignore', 'pipe', 'ignore'] },
    )
    const expected = dump.toString('latin1').split('\n').flatMap(inOurWords)
    const ours = await readOurs(pgWal, from, to)
    expect(ours.length).toBeGreaterThan(40_000)
    const differs = ours.findIndex((line, index) => line !== expected[index])
    expect(ours.slice(differs, differs + 5)).toEqual(differs < 0 ? [] : expected.slice(differs, differs + 5))
    expect(ours.length).toBe(expected.length)
    for (const what of ['created', 'dropped', 'deleted', 'updated'])
      expect(ours.some((line) => line.includes(` ${what} `))).toBe(true)
  }, 60_000)

  test('that is damaged or was overwritten is refused, never read wrongly', async () => {
    const to = await lsnNow()
    const pgWal = `${server.data}/pg_wal`
    // The rest of the file is what another one had before, or empty.
    const beyond = formatLsn(parseLsn(to) + 64 * 1024)
    await expect(readOurs(pgWal, to, beyond)).rejects.toThrow(/^cannot read the log of Postgres at /)
  })
})
