import { describe, expect, test } from 'vitest'
import { parseAgo, parseMoment } from '../../../src/core/moment.ts'
import type { Commit, LogFile } from '../../../src/operations/undo/log-changes.ts'
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

const atMs = Date.parse('2026-11-26T10:15:30.123Z')
const file = (path: string): LogFile => {
  const [database, number] = path.split('/').map(Number)
  return { database: database!, file: number! }
}
const commit = (...dropped: readonly string[]): Commit => ({ atMs, dropped: dropped.map(file) })

const read = (tell: (log: Destructions) => void): readonly Destruction[] => {
  const found: Destruction[] = []
  tell(new Destructions(known, (each) => void found.push(each)))
  return found
}

describe('what was destroyed', () => {
  test('are rows by table, counted over a transaction and those within it, once it is committed', () => {
    const found = read((log) => {
      for (const xid of [7, 8, 9]) log.row(xid, 'deleted', 5, 100)
      log.row(7, 'updated', 5, 100)
      log.row(7, 'deleted', 5, 2619)
      log.ended(9, 6, [], undefined)
      log.ended(7, 0x1_0000_0007, [8], commit())
    })
    expect(found).toEqual([
      { atMs, lsn: '1/7', verb: 'DELETE', names: ['public.invoices'], database: 'shop', rows: 2 },
    ])
    expect(found.map(inWords)).toEqual(['DELETE 2 rows of public.invoices in shop'])
  })

  test('are tables that were dropped or truncated, and not those that were rewritten', () => {
    const found = read((log) => {
      log.ended(7, 7, [], commit('5/100', '5/300', '5/301'))
      log.created(8, file('5/250'))
      log.row(8, 'written', 5, 250)
      log.ended(8, 10, [], commit('5/200'))
      log.created(9, file('5/201'))
      log.ended(9, 12, [], commit('5/250'))
    })
    expect(found.map((each) => `${each.lsn} ${inWords(each)}`)).toEqual([
      '0/7 DROP TABLE public.invoices, a."B c" in shop',
      '0/C TRUNCATE public.ticks in shop',
    ])
  })

  test('is a database, from before its files went', () => {
    const [found] = read((log) => {
      log.databaseDropped(5, 6)
      log.ended(7, 7, [], commit())
    })
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
    const iso = (text: string, now = nowMs): string | undefined => {
      const ms = parseMoment(text, now)
      return ms === undefined ? undefined : new Date(ms).toISOString()
    }
    expect(iso('2026-11-26 10:15')).toBe('2026-11-26T10:15:00.000Z')
    expect(iso('2026-11-26T10:15:30.5+02:00')).toBe('2026-11-26T08:15:30.500Z')
    expect(iso('10:15')).toBe('2026-11-26T10:15:00.000Z')
    expect(iso('13:15 UTC')).toBe('2026-11-25T13:15:00.000Z')
    // Where it is another day than here.
    expect(iso('00:30+13:00')).toBe('2026-11-26T11:30:00.000Z')
    expect(iso('23:00-10:00', Date.parse('2026-11-26T00:10:00Z'))).toBe('2026-11-25T09:00:00.000Z')
    for (const text of ['yesterday', '25:00', '2026-13-01 10:00', '2026-02-30 10:00', '2025-02-29 10:00'])
      expect([text, iso(text)]).toEqual([text, undefined])
    expect(iso('2024-02-29 10:00')).toBe('2024-02-29T10:00:00.000Z')
  })
})
