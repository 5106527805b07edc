import { describe, expect, test } from 'vitest'
import { type ErrorCode, errorTable, SupervisorError, toSupervisorError } from '../../src/errors.ts'
import { version } from '../../src/version.ts'
import { readRoot, sources } from './sources.ts'

const codes = Object.keys(errorTable) as ErrorCode[]

describe('the table of errors', () => {
  test('has an exit code of its own for each, from 1 to 125', () => {
    const exitCodes = codes.map((code) => errorTable[code].exitCode)
    expect(new Set(exitCodes).size).toBe(codes.length)
    for (const exitCode of exitCodes) {
      expect(Number.isInteger(exitCode)).toBe(true)
      expect(exitCode).toBeGreaterThan(0)
      expect(exitCode).toBeLessThan(126)
    }
  })

  test.each(codes)('%s says what to do next', (code) => {
    expect(errorTable[code].hint).toMatch(/^[A-Z].{10,}[^ ]$/)
  })

  test.each(codes)('%s is in docs/errors.md with its exit code', (code) => {
    const rows = readRoot('docs/errors.md')
      .split('\n')
      .map((line) => line.replace(/\s+/g, ' ').replaceAll('`', ''))
    expect(rows.filter((row) => row.startsWith(`| ${errorTable[code].exitCode} | ${code} |`))).toHaveLength(1)
  })

  test.each(codes)('%s is used', (code) => {
    const users = [...sources].filter(([path, text]) =>
      path === 'src/errors.ts' ? text.includes(`SupervisorError('${code}'`) : text.includes(`'${code}'`),
    )
    expect(users).not.toEqual([])
  })

  test('is all that docs/errors.md lists', () => {
    const listed = [
      ...readRoot('docs/errors.md').matchAll(/^\|\s*`?(\d+)`?\s*\|\s*`?([A-Z]+(?:_[A-Z]+)*)`?\s*\|/gm),
    ].map(([, exitCode, code]) => `${exitCode} ${code}`)
    expect(listed.sort()).toEqual(codes.map((code) => `${errorTable[code].exitCode} ${code}`).sort())
  })
})

describe('a failure', () => {
  test('carries the exit code and the hint of its code', () => {
    expect(new SupervisorError('PORT_IN_USE', 'cannot listen')).toMatchObject({
      name: 'SupervisorError',
      code: 'PORT_IN_USE',
      exitCode: 40,
      hint: errorTable.PORT_IN_USE.hint,
      message: 'cannot listen',
    })
    expect(new SupervisorError('PORT_IN_USE', 'cannot listen', { hint: 'Go home.' }).hint).toBe('Go home.')
  })

  const passing = ['DATABASE_LOST', 'CONFIG_NOT_CHECKED', 'ADMINISTRATOR_NOT_CREATED']
  test('has the HTTP status of its code, and says whether it passes by itself', () => {
    for (const code of codes) {
      const { httpStatus, isPassing } = new SupervisorError(code, 'x')
      expect([403, 404, 409, 422, 500, 503], code).toContain(httpStatus)
      expect([code, isPassing]).toEqual([code, passing.includes(code)])
    }
  })

  test('shows a stack only where the fault is ours', () => {
    const cause = new TypeError('x is not a function')
    expect(toSupervisorError(cause).faultStack).toBe(cause.stack)
    expect(new SupervisorError('INTERNAL', 'cannot bake').faultStack).toContain('cannot bake\n    at ')
    expect(new SupervisorError('USAGE', 'cannot do it', { cause }).faultStack).toBeUndefined()
  })

  test('stays itself', () => {
    const failure = new SupervisorError('USAGE', 'x')
    expect(toSupervisorError(failure)).toBe(failure)
  })

  test.each([
    [Object.assign(new Error('write'), { code: 'ENOSPC' }), 'VOLUME_FULL'],
    [Object.assign(new Error('write'), { code: 'EDQUOT' }), 'VOLUME_FULL'],
    [Object.assign(new Error('open'), { code: 'EROFS' }), 'VOLUME_NOT_WRITABLE'],
    [new TypeError('x is not a function'), 'INTERNAL'],
    ['text', 'INTERNAL'],
    [undefined, 'INTERNAL'],
    [null, 'INTERNAL'],
  ] as const)('%s becomes %s and keeps its cause', (thrown, code) => {
    expect(toSupervisorError(thrown)).toMatchObject({ code, cause: thrown })
  })
})

test('the version is that of package.json', () => {
  expect(version).toBe((JSON.parse(readRoot('package.json')) as { version: string }).version)
})
