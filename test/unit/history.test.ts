import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type HistoryEntry, historyLimit, lastGood, previousGood, withEntry } from '../../src/core/history.ts'
import { runs, runsTimeoutMs } from './runs.ts'

const entry = (version: string, result: HistoryEntry['result'] = 'applied'): HistoryEntry => ({ at: '2026-01-01T00:00:00.000Z', from: 'file', version, result, changes: [], why: null })
/** "a b! c?": a was applied, b rejected, c rolled back. */
const historyOf = (text: string): HistoryEntry[] => text.split(' ').filter(Boolean).map((word) => entry(word[0]!, word[1] === '!' ? 'rejected' : word[1] === '?' ? 'rolled back' : 'applied'))

describe('the history', () => {
  test.each<[string, string, string | undefined, string | undefined]>([
    ['', 'a', undefined, undefined],
    ['a', 'a', 'a', undefined],
    ['a b', 'b', 'b', 'a'],
    ['a b! c?', 'a', 'a', undefined],
    ['a b c!', 'b', 'b', 'a'],
    ['a b b b', 'b', 'b', 'a'],
    ['a b a', 'a', 'a', 'b'],
    ['a! b?', 'a', undefined, undefined],
    ['a b', 'c', 'b', 'b'],
  ])('%j with %s in force: the last good one is %s, a rollback goes to %s', (text, current, last, previous) => {
    expect([lastGood(historyOf(text)), previousGood(historyOf(text), current)]).toEqual([last, previous])
  })

  test('keeps its newest entries, in order', () => {
    const versions = Array.from({ length: historyLimit + 30 }, (_, index) => String(index))
    const history = versions.reduce<readonly HistoryEntry[]>((all, version) => withEntry(all, entry(version)), [])
    expect(history.map(({ version }) => version)).toEqual(versions.slice(30))
  })

  test('however long, never loses what can be gone back to', () => {
    const anyEntry = fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('', '!', '!', '!', '?')).map(([version, mark]) => historyOf(version + mark)[0]!)
    fc.assert(fc.property(fc.array(fc.tuple(anyEntry, fc.integer({ min: 1, max: 90 })), { maxLength: 12 }), (blocks) => {
      const all = blocks.flatMap(([one, times]) => Array.from({ length: times }, () => ({ ...one })))
      const history = all.reduce<readonly HistoryEntry[]>(withEntry, [])
      const last = lastGood(all)
      expect(history).toHaveLength(Math.min(all.length, historyLimit))
      expect(history.at(-1)).toBe(all.at(-1))
      expect(lastGood(history)).toBe(last)
      if (last !== undefined) expect(previousGood(history, last)).toBe(previousGood(all, last))
      const places = history.map((one) => all.indexOf(one as never))
      expect(places).toEqual(places.toSorted((a, b) => a - b))
    }), runs(200))
  }, runsTimeoutMs)

  test('two rollbacks in a row end where they began', () => {
    const anyEntries = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('', '!', '?')).map((both) => both.join('')), { maxLength: 12 })
    fc.assert(fc.property(anyEntries, (words) => {
      const history = historyOf(words.join(' '))
      const current = lastGood(history)
      if (current === undefined) return
      const previous = previousGood(history, current)
      if (previous !== undefined) expect(previousGood(withEntry(history, entry(previous)), previous)).toBe(current)
    }), runs(200))
  }, runsTimeoutMs)
})
