import { describe, expect, test } from 'vitest'
import { asData, asText, compareRows, readSince, type Since } from '../../../src/units/mathesar/since.ts'
import { writeSince } from '../../../src/units/mathesar/kept.ts'
import { createPostgres, serverError } from '../fakes/postgres.ts'
import { createScope } from '../fakes/scope.ts'

const digests = (rows: Readonly<Record<string, string>>) =>
  Object.entries(rows).map(([key, digest]) => ({ key, digest }))

const about = {
  version: '0.11.0',
  database: 'mathesar_django_of_0.11.0',
  at: '2026-01-01',
  dataFile: 'x.jsonl',
}
const row = { username: 'grace', email: 'g@example.org', password: 'pbkdf2', note: '' }

describe('what was added since an upgrade', () => {
  test('are the rows whose key is new or whose columns are others; what is gone is counted', () => {
    expect(compareRows(digests({ 1: 'a', 2: 'b', 3: 'c' }), digests({ 2: 'b', 3: 'd', 4: 'e' }))).toEqual({
      added: ['4'],
      changed: ['3'],
      deleted: 1,
    })
  })

  test('is told without what may be a secret, and the data has all of it', () => {
    const since: Since[] = [
      {
        table: 'mathesar_user',
        rows: [{ change: 'added', key: '(7)', data: JSON.stringify(row) }],
        deleted: 2,
        more: 0,
      },
      { table: 'mathesar_new', rows: [{ change: 'changed', key: '(1)', data: null }], deleted: 0, more: 3 },
    ]
    const text = asText(since, about)
    expect(text).toContain(
      'users (mathesar_user): 1 added, 2 deleted, which are there again\n  added   (7) grace g@example.org\n',
    )
    expect(text).toContain('mathesar_new: 1 changed, 3 or more that are not listed here\n')
    expect(text).not.toContain('pbkdf2')
    expect(
      asData(since)
        .split('\n')
        .slice(0, 2)
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { table: 'mathesar_user', change: 'added', row },
      { table: 'mathesar_new', change: 'changed', row: null },
    ])
  })

  test('is bounded: of a table with too many rows none is compared', async () => {
    const server = createPostgres()
    server.answerWith((text) => {
      if (text.includes('pg_index')) return [{ name: 'big', columns: ['id'], key: ['id'] }]
      return text.includes('md5')
        ? Array.from({ length: 50_001 }, (_, at) => ({ key: `${at}`, digest: '' }))
        : []
    })
    const found = await server.withClient([{}], (client) => readSince(client, client))
    expect(found).toEqual([{ table: 'big', rows: [], deleted: 0, more: 50_000 }])
  })

  test('that cannot be written down keeps nobody from going back', async () => {
    const { scope, database, said } = createScope()
    const name = 'mathesar_django_before_0.11.0'
    database.refuseWith((config) => (config.database === name ? serverError('55000') : undefined))
    const kept = { name, version: '0.9.0', at: 'then', applied: [], bytes: 1 }
    expect(await writeSince(scope, kept, about)).toBeUndefined()
    expect(said.join()).toMatch(
      /^warn what was added since then is in mathesar_django_of_0\.11\.0 alone: .*the server says 55000$/,
    )
    expect(database.queries.at(-1)).toBe(`ALTER DATABASE "${name}" ALLOW_CONNECTIONS false`)
  })
})
