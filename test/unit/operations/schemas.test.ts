import { describe, expect, test } from 'vitest'
import { changesOf, translateSchemas } from '../../../src/operations/majors/schemas.ts'
import { createPostgres } from '../fakes/postgres.ts'

describe('the OIDs of schemas', () => {
  test('are compared by name; what stayed or is gone is no change', () => {
    const before = { stock: 17491, sales: 17600, same: 18000, gone: 18001 }
    expect(changesOf(before, { sales: 17491, stock: 16665, same: 18000, new: 17600 })).toEqual([
      [17491, 16665],
      [17600, 17491],
    ])
  })

  test('go over to the explorations and forms of their database, each table in one statement', async () => {
    const postgres = createPostgres()
    const asked: (readonly unknown[])[] = []
    postgres.answerWith((text, values) => {
      if (text.startsWith('UPDATE')) asked.push([/UPDATE (\S+)/.exec(text)?.[1], ...values])
      return text.includes('pg_attribute') ? [{}] : [{ id: 1 }, { id: 2 }]
    })
    const count = await postgres.withClient([{}], (client) =>
      translateSchemas(client, '/run/p', 'books', [
        [17491, 16665],
        [17600, 17491],
      ]),
    )
    const values = [[17491, 17600], [16665, 17491], 'books', '/run/p']
    expect(asked).toEqual([
      ['public.mathesar_explorations', ...values],
      ['public.mathesar_form', ...values],
    ])
    expect(count).toBe(4)
  })
})
