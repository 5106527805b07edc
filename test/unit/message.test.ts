import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { describeError, excerpt, firstFew, messageLimit, printable } from '../../src/core/message.ts'
import { SupervisorError } from '../../src/errors.ts'
import { anyCharacter } from './characters.ts'
import { runs, runsTimeoutMs } from './runs.ts'

const range = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => String.fromCharCode(from + index))
const acting = [
  ...range(0, 8),
  ...range(0x0b, 0x1f),
  ...range(0x7f, 0x9f),
  ...range(0x202a, 0x202e),
  ...range(0x2066, 0x2069),
]

describe('text of another process', () => {
  test('loses every character that acts on a terminal or turns its direction around', () => {
    expect(acting).toHaveLength(9 + 21 + 33 + 5 + 4)
    expect(printable(acting.map((char) => `a${char}`).join(''))).toBe('a'.repeat(acting.length))
    expect(printable('\x1b]0;owned\x07\x1b[2J\x9b31mred\r\x08\u202egnp.exe')).toBe(']0;owned[2J31mredgnp.exe')
  })

  test('keeps everything else', () => {
    const text = 'a line\n\tand another: Ünïcödé, 漢字, 👩‍💻, العربية, \u00a0\u2028 "quoted" \\ $PATH'
    expect(printable(text)).toBe(text)
  })

  test(
    'is never longer than its limit, well formed where it was, and has its beginning and its end',
    () => {
      fc.assert(
        fc.property(
          fc.string({ unit: anyCharacter, maxLength: 60 }),
          fc.integer({ min: 20, max: 40 }),
          (text, limit) => {
            const short = excerpt(text, limit)
            expect(short.length).toBeLessThanOrEqual(limit)
            expect(short.isWellFormed()).toBe(true)
            expect(short).toBe(printable(short))
            if (text.length <= limit) expect(short).toBe(printable(text))
          },
        ),
        runs(100),
      )
      expect(excerpt(`cannot start: ${'x'.repeat(1e6)}why`, 40)).toBe(
        'cannot start: xxx […] xxxxxxxxxxxxxxwhy',
      )
      expect(excerpt('x'.repeat(1e6))).toHaveLength(messageLimit - 1)
    },
    runsTimeoutMs,
  )
})

test.each([
  [0, []],
  [1, ['1']],
  [5, ['1', '2', '3', '4', '5']],
  [6, ['1', '2', '3', '4', '5', 'and 1 more']],
  [60_000, ['1', '2', '3', '4', '5', 'and 59,995 more']],
])('of %d things the first five are named and the others counted', (count, words) => {
  expect(
    firstFew(
      Array.from({ length: count }, (_, index) => index + 1),
      String,
    ),
  ).toEqual(words)
})

test('an error is described without what acts on a terminal, and in a few lines', () => {
  const error = new SupervisorError('CONFIG_INVALID', `cannot\x1b[2J ${'x'.repeat(1e6)}`, {
    hint: 'type\u202e this',
  })
  expect(describeError(error)).toEqual({
    code: 'CONFIG_INVALID',
    message: expect.stringMatching(/^cannot\[2J x+ \[…\] x+$/),
    hint: 'type this',
  })
  expect(describeError(error).message.length).toBeLessThanOrEqual(messageLimit)
})
