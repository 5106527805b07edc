import { expect, test } from 'vitest'
import { tame } from '../../src/core/tame.ts'

const tamed = (text: string, encoding: BufferEncoding = 'utf8'): string => {
  const bytes = Buffer.from(`\r${text}\r`, encoding)
  tame(bytes.subarray(1, -1))
  return bytes.toString(encoding).slice(1, -1)
}

test.each([
  [
    'a line that covers its prefix',
    'x\r2026-11-28T00:00:00Z error supervisor y',
    'x?2026-11-28T00:00:00Z error supervisor y',
  ],
  ['the end of a line of Windows', 'a\r\nb\r\n', 'a \nb \n'],
  ['one that ends with it', 'a\r', 'a '],
  ['a bell, a backspace, NUL and DEL', '\x07\x08\0\x7f\x0b\x0c', '??????'],
  ['a title and a cursor', '\x1b]0;owned\x07\x1b[2J\x1b[1A\x1bc\x1b', '?]0;owned??[2J?[1A?c?'],
  ['a color that never ends', `\x1b[${'1;'.repeat(40)}m`, `?[${'1;'.repeat(40)}m`],
  ['C1', '\x9b31m\x85', '??31m??'],
  ['marks of direction', '\u202egnp.exe\u2066', '???gnp.exe???'],
])('replaces %s', (_, text, expected) => {
  expect(tamed(text)).toBe(expected)
})

test.each(['\x1b[31mred\x1b[0m \x1b[1;38:5:196mx\x1b[m', 'a\tb\nc', 'é – … € ‰ 日本 😀 \u00a0\u2028', ''])(
  'leaves %j as it is',
  (text) => {
    expect(tamed(text)).toBe(text)
  },
)

test('leaves every byte outside, and characters that are cut off', () => {
  expect(tamed('\xc2', 'latin1')).toBe('\xc2')
  expect(tamed('\xe2\x80', 'latin1')).toBe('\xe2\x80')
})

test('takes bytes wherever they lie in memory', () => {
  for (let from = 0; from < 9; from++) {
    const bytes = Buffer.from(new ArrayBuffer(9), from)
    bytes.fill('\r')
    tame(bytes)
    expect(bytes.toString()).toBe('?'.repeat(Math.max(0, 8 - from)) + (from < 9 ? ' ' : ''))
  }
  expect(() => tame(Buffer.from(new ArrayBuffer(5), 5))).not.toThrow()
})
