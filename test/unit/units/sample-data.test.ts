import { describe, expect, test } from 'vitest'
import { loadSampleData } from '../../../src/units/mathesar/sample-data.ts'
import { readFile } from '../configurations.ts'
import { createScope } from '../fakes/scope.ts'

type Found = {
  readonly isFirstHour: boolean
  readonly hasTable: boolean
  /** One is connected. */
  readonly hasDatabase: boolean
  /** One has the name. */
  readonly isTaken?: boolean
}
const fresh: Found = { isFirstHour: true, hasTable: true, hasDatabase: false }

const stage = (found: Found, environment: Readonly<Record<string, string>>) => {
  const at = createScope({ config: readFile('', environment), place: { environment } })
  let isTaken = found.isTaken === true
  at.database.answerWith((text) => {
    if (text.startsWith('DROP DATABASE')) isTaken = false
    if (text.includes('FROM pg_database')) return isTaken ? [{}] : []
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

  test('that a start left half made is made anew, and leaves no note', async () => {
    const at = stage({ ...fresh, isTaken: true }, demo)
    at.disk.files.writeWhole(at.volume.manifest, '{ "sampleData": "under way", "other": 1 }', 0o644)
    await loadSampleData(at.scope)
    expect(at.database.queries).toContain('DROP DATABASE IF EXISTS demo WITH (FORCE)')
    expect(at.said.at(-1)).toBe('info the sample data is there')
    expect(JSON.parse(at.disk.files.readIfThere(at.volume.manifest)!)).toEqual({ other: 1 })
  })

  test('is noted while it is made', async () => {
    const at = stage(fresh, demo)
    const notes: unknown[] = []
    const readNote = (): unknown => JSON.parse(at.disk.files.readIfThere(at.volume.manifest) ?? '{}')
    at.replies.program = async () => {
      notes.push(readNote())
      return { outcome: { code: 0, signal: null }, lines: [] }
    }
    await loadSampleData(at.scope)
    expect([...notes, readNote()]).toEqual([{ sampleData: 'under way' }, {}])
  })

  test('never takes the place of a database that somebody made', async () => {
    const at = stage({ ...fresh, isTaken: true }, demo)
    await loadSampleData(at.scope)
    expect(at.programs).toEqual([])
    expect(at.database.queries.join()).not.toContain('DROP')
    expect(at.said.at(-1)).toBe('warn cannot make the sample data of DEMO: a database demo is there already')
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
