import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type HistoryEntry,
  historyLimit,
  historyLimitBytes,
  lastGood,
  parseFiles,
  parseHistory,
  previousGood,
  withEntry,
} from '../../src/settings/history.ts'
import { settingNames } from '../../src/settings/table.ts'
import { formatFiles } from '../../src/settings/configuration.ts'
import { yamlNames } from '../../src/settings/yaml-files.ts'
import { filesOf } from './configurations.ts'
import { runs, runsTimeoutMs } from './runs.ts'

const entry = (version: string, result: HistoryEntry['result'] = 'applied'): HistoryEntry => ({
  at: '2026-01-01T00:00:00.000Z',
  from: 'file',
  version,
  result,
  changes: [],
  why: null,
})
const resultOf = (mark: string | undefined): HistoryEntry['result'] => {
  if (mark === '!') return 'rejected'
  return mark === '?' ? 'rolled back' : 'applied'
}
/** "a b! c?": a was applied, b rejected, c rolled back. */
const historyOf = (text: string): HistoryEntry[] =>
  text
    .split(' ')
    .filter(Boolean)
    .map((word) => entry(word[0]!, resultOf(word[1])))

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
  ])(
    '%j with %s in force: the last good one is %s, a rollback goes to %s',
    (text, current, last, previous) => {
      expect([lastGood(historyOf(text)), previousGood(historyOf(text), current)]).toEqual([last, previous])
    },
  )

  test('keeps its newest entries, in order', () => {
    const versions = Array.from({ length: historyLimit + 30 }, (_, index) => String(index))
    const history = versions.reduce<readonly HistoryEntry[]>(
      (all, version) => withEntry(all, entry(version)),
      [],
    )
    expect(history.map(({ version }) => version)).toEqual(versions.slice(30))
  })

  test(
    'however long, never loses what can be gone back to',
    () => {
      const anyEntry = fc
        .tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('', '!', '!', '!', '?'))
        .map(([version, mark]) => historyOf(version + mark)[0]!)
      fc.assert(
        fc.property(
          fc.array(fc.tuple(anyEntry, fc.integer({ min: 1, max: 90 })), { maxLength: 12 }),
          (blocks) => {
            const all: readonly HistoryEntry[] = blocks.flatMap(([one, times]) =>
              Array.from({ length: times }, () => ({ ...one })),
            )
            const history = all.reduce<readonly HistoryEntry[]>(withEntry, [])
            const last = lastGood(all)
            expect(history).toHaveLength(Math.min(all.length, historyLimit))
            expect(history.at(-1)).toBe(all.at(-1))
            expect(lastGood(history)).toBe(last)
            if (last !== undefined) expect(previousGood(history, last)).toBe(previousGood(all, last))
            const places = history.map((one) => all.indexOf(one))
            expect(places).toEqual(places.toSorted((a, b) => a - b))
          },
        ),
        runs(60),
      )
    },
    runsTimeoutMs,
  )

  test('that was kept is read back, without what has not the form of an entry', () => {
    const one: HistoryEntry = {
      at: '2026-01-01T00:00:00.000Z',
      from: 'file',
      version: '0123456789ab',
      result: 'rejected',
      changes: [
        { name: 'PORT', action: 'container' },
        { name: 'sso.yml', action: 'generation' },
      ],
      why: 'no',
    }
    const bad = [
      null,
      1,
      'x',
      [],
      {},
      { ...one, from: 'moon' },
      { ...one, version: '../../etc/passwd' },
      { ...one, version: undefined },
      { ...one, result: 1 },
      { ...one, changes: {} },
      { ...one, why: {} },
    ]
    expect(parseHistory(JSON.stringify([...bad, one, ...bad]))).toEqual([one])
    expect(
      parseHistory(
        JSON.stringify([
          {
            ...one,
            changes: [
              null,
              { name: 'constructor', action: 'none' },
              { name: 'PORT', action: 'x' },
              ...one.changes,
            ],
            why: `\x1b[2J${'x'.repeat(1e6)}`,
          },
        ]),
      ),
    ).toEqual([{ ...one, why: expect.stringMatching(/^\[2Jx{1000,1200} \[…\] x{1000,1200}$/) }])
    expect(parseHistory(JSON.stringify(Array<HistoryEntry>(10_000).fill(one)))).toHaveLength(historyLimit)
  })

  test.each([
    '',
    '{',
    '{}',
    '[]',
    'null',
    '[null]',
    '"x"',
    '[[[[',
    `[${'{}'.repeat(5)}]`,
    '\0',
    '[{"version":"0123456789ab"}]',
  ])('that is %j is none, and what it holds is not repeated', (text) => {
    expect(() => parseHistory(text)).toThrow(/^it (is not valid JSON|holds no history)$/)
  })

  test(
    'of any JSON has entries of the right form alone, or is none',
    () => {
      fc.assert(
        fc.property(
          fc.oneof(
            fc.json(),
            fc
              .array(
                fc.record({
                  at: fc.constant(''),
                  from: fc.constantFrom('boot', 'x'),
                  version: fc.constantFrom('0123456789ab', 'x'),
                  result: fc.constantFrom('applied', 'x'),
                  changes: fc.constantFrom([], [{}], null),
                  why: fc.constantFrom(null, 'x', 1),
                }),
              )
              .map((all) => JSON.stringify(all)),
          ),
          (text) => {
            try {
              for (const { from, version, result, changes, why } of parseHistory(text))
                expect([from, version, result, changes, why]).toEqual([
                  'boot',
                  '0123456789ab',
                  'applied',
                  [],
                  why === null ? null : 'x',
                ])
            } catch (error) {
              expect((error as Error).message).toMatch(/^it (is not valid JSON|holds no history)$/)
            }
          },
        ),
        runs(200),
      )
    },
    runsTimeoutMs,
  )

  test('of the longest entries is smaller than what is read of it', () => {
    const changes = [...settingNames, ...yamlNames].map((name) => ({
      name,
      action: 'postgres-restart' as const,
    }))
    for (const why of ['x'.repeat(1e6), '"'.repeat(2000), '漢'.repeat(1e6), '\ud800'.repeat(2000)]) {
      const history = Array.from({ length: 2 * historyLimit }, () => ({
        ...entry('0123456789ab', 'rolled back'),
        changes,
        why,
      })).reduce<readonly HistoryEntry[]>(withEntry, [])
      expect(Buffer.byteLength(JSON.stringify(history, null, 1))).toBeLessThan(historyLimitBytes)
    }
  })

  test(
    'two rollbacks in a row end where they began',
    () => {
      const anyEntries = fc.array(
        fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('', '!', '?')).map((both) => both.join('')),
        { maxLength: 12 },
      )
      fc.assert(
        fc.property(anyEntries, (words) => {
          const history = historyOf(words.join(' '))
          const current = lastGood(history)
          if (current === undefined) return
          const previous = previousGood(history, current)
          if (previous !== undefined)
            expect(previousGood(withEntry(history, entry(previous)), previous)).toBe(current)
        }),
        runs(200),
      )
    },
    runsTimeoutMs,
  )
})

describe('the files of a version', () => {
  test('are read as they were kept', () => {
    for (const files of [
      filesOf(undefined),
      filesOf('A=1\n'),
      filesOf('', { 'sso.yml': 'a: "\u0001"' }),
      filesOf(undefined, { 'file_storage.yml': '{}' }),
      filesOf(undefined, { 'login_page.yml': 'heading: a' }),
    ])
      expect(parseFiles(formatFiles(files))).toEqual(files)
  })

  test('are those of a supervisor that knew no login_page.yml, and it reads ours where there is none', () => {
    const text = '["A=1\\n",null,"{}"]'
    const files = filesOf('A=1\n', { 'file_storage.yml': '{}' })
    expect([parseFiles(text), formatFiles(files)]).toEqual([files, text])
  })

  // Taken for "there are no files", any of these would remove mathesar.env.
  test.each([
    '',
    '{}',
    '[]',
    'null',
    '[null]',
    '[null,null]',
    '[null,null,null,null,null]',
    '[null,null,{}]',
    '["a","b",1]',
    '"abc"',
    '{"mathesar.env":"A=1"}',
    '{"length":3}',
  ])('that are %j are none', (text) => {
    expect(() => parseFiles(text)).toThrow(/^it (is not valid JSON|holds no config files)$/)
  })
})
