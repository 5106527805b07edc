import { describe, expect, test } from 'vitest'
import { isKeyOf, keyNoteOf } from '../../../src/units/mathesar/key-check.ts'
import { migrations } from '../../../src/units/mathesar/migrations.ts'
import { failureOf } from '../failure.ts'
import { createScope, externalDatabase, never } from '../fakes/scope.ts'

describe('the note of the secret key', () => {
  test('tells the key that a database was made with from every other, and does not hold it', () => {
    const note = keyNoteOf('the secret key', 'abc')
    expect(note).toMatch(/^mathesar: made with the secret key abc [0-9a-f]{32}$/)
    expect([isKeyOf('the secret key', note), isKeyOf('another', note)]).toEqual([true, false])
    expect(keyNoteOf('the secret key', 'abd')).not.toContain(note.slice(-32))
  })

  test.each([
    null,
    '',
    'a comment of somebody',
    'mathesar: made with the secret key abc',
    `${'x'.repeat(300)}`,
  ])('says nothing where it is not one of ours: %j', (note) =>
    expect(isKeyOf('the secret key', note)).toBeUndefined(),
  )
})

/** An internal database with this comment on its table of migrations, that has all of the image's. */
const stage = (
  row: { readonly note: string | null; readonly isOwner?: boolean },
  options: Parameters<typeof createScope>[0] = {},
) => {
  const at = createScope(options)
  at.disk.put('/share/migrations.json', '["mathesar.0001_initial"]')
  at.database.answerWith((text) => {
    if (text.includes('to_regclass')) return [{ isTable: true, isOwner: true, ...row }]
    return text.includes('FROM django_migrations') ? [{ migration: 'mathesar.0001_initial' }] : []
  })
  return { ...at, notes: () => at.database.queries.filter((text) => text.startsWith('COMMENT')) }
}
const noteOf = (sql: string | undefined): string => /IS '([^']+)'$/.exec(sql ?? '')?.[1] ?? ''
const other = { note: keyNoteOf('another key', 'abc') }

describe('a start', () => {
  test('has a database that says nothing note its key, and asks no more of one that does', async () => {
    const first = stage({ note: null })
    await migrations.run(first.scope, never)
    const note = noteOf(first.notes()[0])
    expect(isKeyOf('the secret key', note)).toBe(true)
    expect(first.said).toEqual([])
    const second = stage({ note })
    await migrations.run(second.scope, never)
    expect([second.notes(), second.database.logins.length]).toEqual([[], 1])
  })

  test.each([
    ['embedded', {}, 'cannot use the internal database with the key in /data/secrets/secret_key'],
    [
      'external',
      { config: externalDatabase },
      'cannot use the internal database (db.example.org, app) with the key in',
    ],
  ])(
    'refuses an %s database that was made with another key, before it changes anything',
    async (_, options, words) => {
      const { scope, notes, programs } = stage(other, options)
      const failure = await failureOf(() => migrations.run(scope, never))
      expect([failure.code, failure.exitCode]).toEqual(['DATABASE_OTHER_KEY', 56])
      expect(failure.message).toContain(words)
      expect(failure.hint).toContain('`-e ON_OTHER_KEY=accept`')
      expect([notes(), programs]).toEqual([[], []])
    },
  )

  test('with ON_OTHER_KEY=accept takes the new key, says what is lost, and notes it', async () => {
    const { scope, notes, said } = stage(other, { place: { environment: { ON_OTHER_KEY: 'accept' } } })
    await migrations.run(scope, never)
    expect(isKeyOf('the secret key', noteOf(notes()[0]))).toBe(true)
    expect(said).toEqual([
      'warn another secret key than before is accepted: stored passwords cannot be decrypted',
    ])
  })

  test('notes nothing on a table that belongs to somebody else', async () => {
    const { scope, notes } = stage({ note: null, isOwner: false })
    await migrations.run(scope, never)
    expect(notes()).toEqual([])
  })
})
