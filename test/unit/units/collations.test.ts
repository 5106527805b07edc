import { describe, expect, test } from 'vitest'
import { collations } from '../../../src/units/postgres/collations.ts'
import { serverError } from '../fakes/postgres.ts'
import { createScope, never } from '../fakes/scope.ts'

const versions = 'ICU 153.136, glibc 2.41'

type Found = {
  readonly served?: string
  readonly stale?: readonly string[]
  readonly isFresh?: boolean
}

/** A cluster of three databases, and the indexes that each says are stale. */
const stage = ({ served, stale = [], isFresh = false }: Found, indexes: Record<string, string[]> = {}) => {
  const database = {
    version: '17.9',
    locale: 'und',
    collation: versions,
    databases: ['mathesar_django', 'postgres', 'books'],
    stale,
  }
  const at = createScope({ results: { database, cluster: { isFresh, wasShutDown: true } } })
  if (served !== undefined)
    at.disk.put('/data/manifest.json', JSON.stringify({ servedBy: { collation: served } }))
  const asked = (): string | undefined => at.database.logins.at(-1)?.database
  at.database.answerWith((text) => {
    if (text.includes('pg_index')) return (indexes[asked() ?? ''] ?? []).map((name) => ({ name }))
    if (text.includes('REFRESH')) return [{ command: `ALTER DATABASE ${asked()} REFRESH COLLATION VERSION` }]
    return text.includes('public.twice') ? serverError('23505', 'could not create unique index') : []
  })
  const acts = (): string[] => at.database.queries.filter((text) => /^(REINDEX|ALTER|UPDATE)/.test(text))
  return { ...at, acts, visited: () => at.database.logins.map((login) => login.database) }
}

describe('the task `collations`', () => {
  test.each([
    ['the libraries are those that served last, and no database has another version', { served: versions }],
    ['the cluster is new', { isFresh: true }],
  ])('asks nothing where %s', async (_, found) => {
    const { scope, visited } = stage(found)
    await collations.run(scope, never)
    expect(visited()).toEqual([])
  })

  test('looks at every database where the libraries changed, rebuilds what depends, notes it', async () => {
    const { scope, acts, visited, said, reports } = stage(
      { served: 'ICU 153.128, glibc 2.36' },
      { books: ['public.title', 'public.author'] },
    )
    await collations.run(scope, never)
    expect(visited()).toEqual(['mathesar_django', 'postgres', 'books'])
    expect(acts().filter((text) => text.startsWith('REINDEX'))).toEqual([
      'REINDEX INDEX public.title',
      'REINDEX INDEX public.author',
    ])
    expect(acts().at(-1)).toBe('ALTER DATABASE books REFRESH COLLATION VERSION')
    expect(said).toEqual([
      `info the libraries that sort text changed: ICU 153.128, glibc 2.36 → ${versions}`,
      'info 2 indexes of database books were rebuilt',
    ])
    expect(reports).toEqual([
      'rebuilds index 1 of 2 in database books',
      'rebuilds index 2 of 2 in database books',
      null,
    ])
  })

  test('goes to the databases alone that another library has sorted, such as a copy', async () => {
    const { scope, visited } = stage({ served: versions, stale: ['books'] })
    await collations.run(scope, never)
    expect(visited()).toEqual(['books'])
  })

  test('names an index that Postgres refuses to rebuild, and does not note the version as good', async () => {
    const { scope, acts, said } = stage(
      { stale: ['books'], served: versions },
      { books: ['public.twice', 'public.b'] },
    )
    await collations.run(scope, never)
    expect(acts()).toEqual(['REINDEX INDEX public.twice', 'REINDEX INDEX public.b'])
    expect(said[0]).toMatch(
      /^warn cannot rebuild index public.twice of database books: could not create unique/,
    )
  })

  test('does not end a start because one database lets nobody in', async () => {
    const { scope, database, said, visited } = stage({})
    database.refuseWith((login) => (login.database === 'postgres' ? serverError('55000') : undefined))
    await collations.run(scope, never)
    expect(said).toEqual([expect.stringMatching(/^warn cannot look at the indexes of database postgres/)])
    expect(visited()).toContain('books')
  })
})
