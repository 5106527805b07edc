import { describe, expect, test } from 'vitest'
import { mathesar } from '../../src/units/mathesar/server.ts'

describe('what a new generation answers when it is asked to check itself', () => {
  test.each(['200 ', '200 /x', '302 /complete_installation/', '302 /complete_installation/?a=b'])(
    '%j says that it is fit to serve',
    (answer) => {
      expect(mathesar.readCheck!(answer)).toBeUndefined()
    },
  )

  test.each([
    ['500 ', 500],
    ['404 /x', 404],
    ['302 /elsewhere/', 302],
    ['302 ', 302],
  ])('%j is told by its status', (answer, status) => {
    expect(mathesar.readCheck!(answer)).toBe(`GET /auth/login/ answers ${status}`)
  })

  test.each([
    '',
    ' ',
    'a',
    'aaaa',
    '200',
    '2000 ',
    '20 /',
    '099 /',
    'NaN /',
    '-200 /',
    '200\t/',
    '200  /',
    '200 / /',
    '\x1b[2J 200 /',
    '2e2 /',
    '0x0 /',
  ])('%j is no status, and is told as that', (answer) => {
    expect(mathesar.readCheck!(answer)).toBe(
      'the new generation cannot be checked: its answer is not an HTTP status',
    )
  })
})
