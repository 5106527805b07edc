import { describe, expect, test } from 'vitest'
import { parseAgo, parseMoment } from '../../../src/core/moment.ts'
import { type Destruction, Destructions, inWords, isMeant } from '../../../src/operations/undo/statements.ts'
import {
  type Base,
  chooseObsolete,
  isBaseDue,
  isUsable,
  listBases,
  walKeepOf,
} from '../../../src/units/undo.ts'
import { createScope } from '../fakes/scope.ts'

const MiB = 1024 * 1024
const base = (name: string, endMs: number, bytes = 10): Base => ({
  name,
  endMs,
  bytes,
  startLsn: '0/1000028',
  startFile: `00000001000000000000000${endMs}`,
})

describe('the space of an undo', () => {
  test('is one half log, and the log is let go where the volume runs full', () => {
    expect([walKeepOf(0, undefined), walKeepOf(256, 1e12), walKeepOf(256, 100 * MiB)]).toEqual([0, 128, 0])
  })

  test('has another base once half of the log that is kept is newer than the last one', () => {
    expect(isBaseDue(256, undefined)).toBe(true)
    expect(isBaseDue(256, 63 * MiB)).toBe(false)
    expect(isBaseDue(256, 64 * MiB)).toBe(true)
  })

  test('is never passed: older bases give way, and the newest one where both do not fit', () => {
    const bases = [base('old', 1, 40), base('newest', 3, 60), base('older', 2, 40)]
    const gone = (nextBytes: number): readonly string[] =>
      chooseObsolete(bases, nextBytes, 128).map(({ name }) => name)
    expect(gone(60)).toEqual(['older', 'old'])
    expect(gone(70)).toEqual(['newest', 'older', 'old'])
    expect(chooseObsolete([], 70, 128)).toEqual([])
  })

  test('has bases as long as the log reaches back to them, whatever else lies in the folder', () => {
    const { scope, disk, volume } = createScope()
    for (const each of [base('base-1.tar.zst', 1), base('base-2.tar.zst', 2)]) {
      disk.put(`${volume.undo}/${each.name}`, 'x')
      disk.put(`${volume.undo}/${each.name}.json`, JSON.stringify(each))
    }
    disk.put(`${volume.undo}/base-3.tar.zst.json`, JSON.stringify(base('base-3.tar.zst', 3)))
    disk.put(`${volume.undo}/base-4.tar.zst.json`, '{')
    disk.put(`${volume.cluster}/pg_wal/000000010000000000000002`, '')
    const bases = listBases(scope)
    expect(bases.map(({ name }) => name)).toEqual(['base-2.tar.zst', 'base-1.tar.zst'])
    expect(bases.filter((each) => isUsable(scope, each)).map(({ name }) => name)).toEqual(['base-2.tar.zst'])
  })
})

const line = (manager: string, xid: number, lsn: string, text: string): string =>
  `rmgr: ${manager.padEnd(11)} len (rec/tot):     54/    54, tx: ${String(xid).padStart(10)}, lsn: ${lsn}, ` +
  `prev 0/00000000, desc: ${text}`
const at = '2026-11-26 10:15:30.123456 UTC'

const known = {
  names: {
    atMs: 0,
    databases: { 5: 'shop', 6: 'gone' },
    tables: {
      '5/100': { oid: 100, name: 'public.invoices' },
      '5/200': { oid: 200, name: 'public.ticks' },
      '5/300': { oid: 300, name: 'a."B c"' },
    },
  },
  present: { atMs: 0, databases: { 5: 'shop' }, tables: { '5/201': { oid: 200, name: 'public.ticks' } } },
}

const read = (...lines: readonly string[]): readonly Destruction[] => {
  const found: Destruction[] = []
  const destructions = new Destructions(known, (each) => void found.push(each))
  for (const each of lines) destructions.read(each)
  return found
}

describe('what was destroyed', () => {
  test('are rows by table, counted over a transaction and those within it, once it is committed', () => {
    const row = 'off: 1, blkref #0: rel 1663/5/100 blk 0'
    const found = read(
      line('Heap', 7, '0/1', `DELETE xmax: 7, ${row}`),
      line('Heap', 8, '0/2', `DELETE xmax: 8, ${row}`),
      line('Heap', 9, '0/3', `DELETE xmax: 9, ${row}`),
      line('Heap', 7, '0/4', `HOT_UPDATE old_xmax: 7, ${row}`),
      line('Heap', 7, '0/5', 'DELETE xmax: 7, off: 1, blkref #0: rel 1663/5/2619 blk 0'),
      line('Transaction', 9, '0/6', `ABORT ${at}`),
      'what is no line of it',
      line('Transaction', 7, '0/7', `COMMIT ${at}; subxacts: 8`),
    )
    const atMs = Date.parse('2026-11-26T10:15:30.123Z')
    expect(found).toEqual([
      { atMs, lsn: '0/7', verb: 'DELETE', names: ['public.invoices'], database: 'shop', rows: 2 },
    ])
    expect(found.map(inWords)).toEqual(['DELETE 2 rows of public.invoices in shop'])
  })

  test('are tables that were dropped or truncated, and not those that were rewritten', () => {
    const found = read(
      line('Transaction', 7, '0/7', `COMMIT ${at}; rels: base/5/100 base/5/300 base/5/t3_1; inval msgs: x`),
      line('Storage', 8, '0/8', 'CREATE base/5/250'),
      line('XLOG', 8, '0/9', 'FPI , blkref #0: rel 1663/5/250 blk 0 FPW'),
      line('Transaction', 8, '0/A', `COMMIT ${at}; rels: base/5/200`),
      line('Storage', 9, '0/B', 'CREATE base/5/201'),
      line('Transaction', 9, '0/C', `COMMIT ${at}; rels: base/5/250`),
    )
    expect(found.map((each) => `${each.lsn} ${inWords(each)}`)).toEqual([
      '0/7 DROP TABLE public.invoices, a."B c" in shop',
      '0/C TRUNCATE public.ticks in shop',
    ])
  })

  test('is a database, from before its files went', () => {
    const [found] = read(
      line('Database', 7, '0/5', 'DROP dir 1663/6'),
      line('Transaction', 7, '0/7', `COMMIT ${at}; inval msgs: x`),
    )
    expect(found).toMatchObject({ lsn: '0/5', verb: 'DROP DATABASE', names: ['gone'] })
  })

  test('is found by what somebody types', () => {
    const drop = {
      atMs: 0,
      lsn: '',
      verb: 'DROP TABLE',
      names: ['a."B c"', 'public.x'],
      database: '',
      rows: 0,
    } as const
    for (const text of ['DROP TABLE x', ' drop  table if exists public.x;', 'DROP TABLE "public"."x"'])
      expect([text, isMeant(text, drop)]).toEqual([text, true])
    for (const text of ['x', 'DROP TABLE y', 'TRUNCATE x', 'DROP TABLE b.x', ''])
      expect([text, isMeant(text, drop)]).toEqual([text, false])
    expect(inWords({ ...drop, names: ['public."\u001b[2J\nx"'], database: 'shop' })).toBe(
      'DROP TABLE public."[2J x" in shop',
    )
    expect(isMeant('delete from x', { ...drop, verb: 'DELETE' })).toBe(true)
    expect(isMeant('truncate table x', { ...drop, verb: 'TRUNCATE' })).toBe(true)
  })
})

describe('a moment', () => {
  const nowMs = Date.parse('2026-11-26T12:00:00Z')
  test('is so long ago', () => {
    expect(['10m', '90s', '2h', '1d', '10 min', '', 'm', '-1m'].map(parseAgo)).toEqual([
      600_000,
      90_000,
      7_200_000,
      86_400_000,
      600_000,
      undefined,
      undefined,
      undefined,
    ])
  })

  test('is a date and a time, or the last time that a clock showed it', () => {
    const iso = (text: string): string | undefined => {
      const ms = parseMoment(text, nowMs)
      return ms === undefined ? undefined : new Date(ms).toISOString()
    }
    expect(iso('2026-11-26 10:15')).toBe('2026-11-26T10:15:00.000Z')
    expect(iso('2026-11-26T10:15:30.5+02:00')).toBe('2026-11-26T08:15:30.500Z')
    expect(iso('10:15')).toBe('2026-11-26T10:15:00.000Z')
    expect(iso('13:15 UTC')).toBe('2026-11-25T13:15:00.000Z')
    expect([iso('yesterday'), iso('25:00'), iso('2026-13-01 10:00')]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })
})
