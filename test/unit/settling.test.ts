import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { follow, isSame, type Pending, type Seen, waitMsOf } from '../../src/core/settling.ts'

const rules = { names: ['a', 'b'], settleMs: 100, emptyMs: 1500 }
const seen = (a: string | undefined, b?: string): Seen => ({ files: { a, b }, stale: {}, unusable: {} })
const reported = seen('1')

/** When a state has settled, after looks at the times given. */
const settledAfter = (looks: readonly (readonly [atMs: number, seen: Seen])[]): number =>
  looks.reduce<Pending | undefined>(
    (before, [atMs, state]) => follow(rules, reported, before, state, atMs),
    undefined,
  )!.settledAtMs

describe('a state', () => {
  test('has settled once it was the same for a while', () => {
    expect(settledAfter([[0, seen('2')]])).toBe(100)
    expect(
      settledAfter([
        [0, seen('2')],
        [60, seen('2')],
      ]),
    ).toBe(100)
    expect(
      settledAfter([
        [0, seen('2')],
        [60, seen('3')],
      ]),
    ).toBe(160)
    expect(
      settledAfter([
        [0, seen('2')],
        [60, seen('2', 'x')],
      ]),
    ).toBe(160)
  })

  test('with a file that became empty or missing settles later', () => {
    expect(settledAfter([[0, seen('')]])).toBe(1500)
    expect(settledAfter([[0, seen(undefined)]])).toBe(1500)
    expect(settledAfter([[0, seen('2', '')]])).toBe(1500)
  })

  test('that follows an empty one settles later, too: its writer may still be at work', () => {
    expect(
      settledAfter([
        [0, seen('')],
        [200, seen('2')],
      ]),
    ).toBe(1700)
    expect(
      settledAfter([
        [0, seen('')],
        [200, seen('2')],
        [300, seen('23')],
      ]),
    ).toBe(1800)
  })

  test('that follows a missing one settles as usual: the file was replaced', () => {
    expect(
      settledAfter([
        [0, seen(undefined)],
        [200, seen('2')],
      ]),
    ).toBe(300)
  })

  test('is another one with another content, or when a file became stale', () => {
    const stale = { ...reported, stale: { a: 'replaced' } }
    expect(isSame(rules, reported, { ...reported, files: { ...reported.files, c: 'x' } })).toBe(true)
    expect(isSame(rules, reported, seen('1', ''))).toBe(false)
    expect(isSame(rules, reported, stale)).toBe(false)
    expect(settledAfter([[0, stale]])).toBe(100)
  })

  test('is looked at again in time, and never later than it settles', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 5000 }),
        fc.integer({ min: 0, max: 5000 }),
        (settledAtMs, nowMs) => {
          const waitMs = waitMsOf(rules, { seen: reported, wasEmptied: false, settledAtMs }, nowMs)
          expect(waitMs).toBeGreaterThanOrEqual(1)
          expect(waitMs).toBeLessThanOrEqual(rules.settleMs)
          if (settledAtMs > nowMs) expect(nowMs + waitMs).toBeLessThanOrEqual(settledAtMs)
        },
      ),
    )
  })
})
