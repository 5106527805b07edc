import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  findParent,
  formatArchiveName,
  isArchiveName,
  parseArchiveName,
} from '../../src/core/archive-name.ts'
import { parsePlace, placeInWords, whyNotPlaces } from '../../src/settings/backup-places.ts'
import { chooseRemoved, whyNotRetention } from '../../src/settings/retention.ts'

const day = 86_400_000
const nowMs = Date.parse('2026-11-26T12:00:00Z')
const madeOn = (...daysAgo: readonly number[]) =>
  daysAgo.map((days) => ({ name: `${days}`, atMs: nowMs - days * day }))
const range = (length: number): number[] => Array.from({ length }, (_, index) => index)

describe('what is kept of archives', () => {
  test('is the newest of each period that has one', () => {
    const kept = (rule: string): string[] => {
      const removed = chooseRemoved(rule, madeOn(...range(400)), [])
      return range(400)
        .map(String)
        .filter((name) => !removed.includes(name))
    }
    expect(kept('7 daily')).toEqual(range(7).map(String))
    expect(kept('3 last')).toEqual(['0', '1', '2'])
    // 2026-11-26 is a Thursday.
    expect(kept('3 weekly')).toEqual(['0', '4', '11'])
    expect(kept('2 daily, 1 weekly')).toEqual(['0', '1'])
    expect(kept('3 monthly')).toEqual(['0', '26', '57'])
    expect(kept('2 yearly')).toEqual(['0', '330'])
    expect(kept('all')).toHaveLength(400)
  })

  test('skips days without one: an old archive is not removed because nothing new came', () => {
    expect(chooseRemoved('3 daily', madeOn(100, 200, 300), [])).toEqual([])
    expect(chooseRemoved('2 daily', madeOn(100, 100.1, 200, 300), [])).toEqual(['100.1', '300'])
  })

  test('always has the newest one, and what is pinned', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 0, max: 1000 }), { minLength: 1, maxLength: 40 }),
        fc.constantFrom('1 last', '1 yearly', '2 daily, 1 weekly', '3 hourly, 2 monthly'),
        (days, rule) => {
          const removed = chooseRemoved(rule, madeOn(...days), [String(days[0])])
          expect(removed).not.toContain(String(Math.min(...days)))
          expect(removed).not.toContain(String(days[0]))
          const rest = days.filter((each) => !removed.includes(String(each)))
          expect(chooseRemoved(rule, madeOn(...rest), [String(days[0])])).toEqual([])
        },
      ),
    )
  })

  test('is never without what it builds on, at no moment of a removal', () => {
    // A full one of 9 days ago, and one a day that builds on the one before; a new full one of 2 days ago.
    const chained = madeOn(...range(10)).map((each, days) => ({
      ...each,
      parent: [2, 9].includes(days) ? undefined : String(days + 1),
    }))
    expect(chooseRemoved('2 daily', chained, [])).toEqual(range(10).slice(3).map(String))
    expect(chooseRemoved('3 daily', chained, ['5'])).toEqual(['3', '4'])
    expect(chooseRemoved('4 daily', chained, [])).toEqual([])
    const removed = chooseRemoved('1 last', chained, [])
    for (const [index, name] of removed.entries()) {
      const parent = chained.find((each) => each.name === name)!.parent
      expect(removed.slice(0, index)).not.toContain(parent)
    }
  })

  test('is said in numbers and periods', () => {
    for (const good of ['all', '1 last', '7 daily, 4 weekly,12 monthly', '24  hourly', '10 yearly'])
      expect(whyNotRetention(good)).toBeUndefined()
    for (const bad of [
      '',
      '0 daily',
      '-1 daily',
      '7',
      'daily',
      '7 days',
      '7 daily,',
      '99999 daily',
      '1 toString',
    ])
      expect(whyNotRetention(bad)).toMatch(/must be `all` or a number/)
  })
})

describe('the places of backups', () => {
  test('are the volume, folders and buckets, each once', () => {
    for (const good of ['volume', '/backups', 'volume, /mnt/a b, s3://bucket/a/b', 's3://my-bucket'])
      expect(whyNotPlaces(good)).toBeUndefined()
    for (const bad of [
      '',
      'backups',
      './x',
      '/a/../b',
      's3://',
      's3://b',
      's3://bucket/../x',
      's3://bucket/a/.b',
    ])
      expect(whyNotPlaces(bad)).toMatch(/must be `volume`/)
    expect(whyNotPlaces('/a, volume, /a/')).toMatch(/twice/)
    expect(parsePlace('s3://bucket/a/b/')).toEqual({ kind: 's3', bucket: 'bucket', prefix: 'a/b/' })
    expect(placeInWords(parsePlace('s3://bucket/a/b/')!)).toBe('s3://bucket/a/b')
    expect(placeInWords(parsePlace('s3://bucket')!)).toBe('s3://bucket')
  })

  test('have archives with names that say when and of what, and nothing that climbs', () => {
    for (const by of [undefined, 'a1B2c3D4'])
      for (const isLocked of [true, false]) {
        const name = formatArchiveName({ atMs: nowMs, by }, isLocked)
        expect(parseArchiveName(name)).toEqual({ atMs: nowMs, by })
        expect(isArchiveName(name)).toBe(true)
      }
    const [after, by] = [{ atMs: nowMs - day, by: 'a1B2c3D4' }, 'a1B2c3D4']
    for (const own of [
      { atMs: nowMs, by },
      { atMs: nowMs, by: undefined },
    ]) {
      const name = formatArchiveName({ ...own, after }, true)
      expect(name).toMatch(/T12-00-00Z-after-a1B2c3D4-2026-11-25T12-00-00Z\.tar\.age$/)
      expect(parseArchiveName(name)).toEqual({ ...own, after })
      expect(isArchiveName(name)).toBe(true)
      const parent = { name: formatArchiveName(after, false) }
      expect(findParent(name, [{ name }, { name: 'x.tar' }, parent])).toBe(parent)
      expect(findParent(name, [{ name: formatArchiveName({ ...after, by: undefined }, false) }])).toBe(
        undefined,
      )
      expect(findParent(parent.name, [parent])).toBe(undefined)
    }
    // Nothing is its own parent, nor that of an older one.
    expect(parseArchiveName(formatArchiveName({ ...after, after }, false))).toBe(undefined)
    for (const other of [
      'x.tar',
      'mathesar-2026-11-26T12-00-00Z.tar.gz',
      'mathesar-2026-99-26T12-00-00Z.tar',
      '',
    ])
      expect(parseArchiveName(other)).toBeUndefined()
    for (const bad of ['../x.tar', 'a/b.tar', '.x.tar', 'x.txt', '', 'x.tar\n', '-x.tar'])
      expect(isArchiveName(bad)).toBe(false)
  })
})
