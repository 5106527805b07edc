import { describe, expect, test } from 'vitest'
import { loadSampleData } from '../../../src/units/mathesar/sample-data.ts'
import { readFile } from '../configurations.ts'
import { createScope } from '../fakes/scope.ts'

type Found = { readonly isFirstHour: boolean; readonly hasTable: boolean; readonly hasDatabase: boolean }
const fresh: Found = { isFirstHour: true, hasTable: true, hasDatabase: false }

const stage = (found: Found, environment: Readonly<Record<string, string>>) => {
  const at = createScope({ config: readFile('', environment), place: { environment } })
  at.database.answerWith((text) => {
    if (text.includes('FROM mathesar_user')) return found.isFirstHour ? [{}] : []
    if (text.includes('to_regclass')) return [{ isThere: found.hasTable }]
    return text.includes('FROM mathesar_database') && found.hasDatabase ? [{}] : []
  })
  return at
}
const demo = { DEMO: 'library_management, bike_shop' }

describe('the sample data', () => {
  test('is made by Mathesar for its first administrator', async () => {
    for (const found of [fresh, { ...fresh, hasTable: false }]) {
      const { scope, programs, said } = stage(found, demo)
      await loadSampleData(scope)
      expect(programs.map(({ command }) => JSON.parse(command.env.ADMINISTRATOR!) as unknown)).toEqual([
        { action: 'sample data', name: 'demo', samples: ['library_management', 'bike_shop'] },
      ])
      expect(said.at(-1)).toBe('info the sample data is there')
    }
  })

  test('is not made unless somebody asks for it, nor asks the database for it', async () => {
    const { scope, programs, database } = stage(fresh, {})
    await loadSampleData(scope)
    expect([programs, database.queries]).toEqual([[], []])
  })

  test.each([
    ['later than in the first hour, or for the second user', { ...fresh, isFirstHour: false }],
    ['where a database is connected', { ...fresh, hasDatabase: true }],
  ])('is not made %s', async (_, found) => {
    const { scope, programs } = stage(found, demo)
    await loadSampleData(scope)
    expect(programs).toEqual([])
  })

  test('that cannot be made is a warning, and ends nothing', async () => {
    const at = stage(fresh, demo)
    at.replies.program = async () => ({ outcome: { code: 1, signal: null }, lines: ['no such file'] })
    await loadSampleData(at.scope)
    expect(at.said.at(-1)).toBe(
      'warn cannot make the sample data of DEMO: Django failed with exit code 1: no such file',
    )
  })
})
