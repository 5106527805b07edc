import { describe, expect, test } from 'vitest'
import { chooseName, findWayBack, goBackTo, keepBefore } from '../../../src/units/mathesar/kept.ts'
import { failureOf } from '../failure.ts'
import { createScope } from '../fakes/scope.ts'

const image = ['mathesar.0001_initial', 'mathesar.0002_more']
const noteOf = (version: string, at: string, applied: readonly string[]): string =>
  JSON.stringify({ version, at, applied })

/** A server that keeps these databases, with what it was asked to do. */
const stage = (kept: readonly { readonly name: string; readonly note: string | null }[] = []) => {
  const at = createScope()
  at.database.answerWith((text) => {
    if (text.includes("'last_confirmed_sql_version'")) return [{}]
    if (text.includes('shobj_description')) return kept.map((row) => ({ ...row, bytes: '1000' }))
    return text.includes('pg_database_size') ? [{ bytes: String(100 * 2 ** 20) }] : []
  })
  const done = (): string[] =>
    at.database.queries.filter((text) => /^(CREATE|DROP|ALTER|COMMENT|BEGIN|COMMIT|UPDATE)/.test(text))
  return { ...at, done }
}
const versions = { from: '0.9.0', to: '0.11.0' }

describe('the internal database before an upgrade', () => {
  test('is kept as a copy that nobody connects to, and says which Mathesar it fits', async () => {
    const { scope, done } = stage()
    await keepBefore(scope, versions, ['mathesar.0001_initial'])
    expect(done()).toEqual([
      'DROP DATABASE IF EXISTS "mathesar_django_before_0.11.0"',
      'CREATE DATABASE "mathesar_django_before_0.11.0" TEMPLATE mathesar_django ALLOW_CONNECTIONS false',
      expect.stringMatching(
        /^COMMENT ON DATABASE "\S+_before_0.11.0" IS '\{"version":"0.9.0",.*\["mathesar.0001_initial"\]\}'$/,
      ),
    ])
  })

  test('has a name that Postgres takes, whatever the version is', async () => {
    const { scope, done } = stage()
    await keepBefore(scope, { from: '', to: `1"; DROP${'9'.repeat(90)}` }, [])
    expect(done()[0]).toBe(`DROP DATABASE IF EXISTS "mathesar_django_before_1---DROP${'9'.repeat(22)}"`)
  })

  test('is not upgraded where a copy does not fit beside it', async () => {
    const { scope, disk, done } = stage()
    disk.setFree({ bytes: 150 * 2 ** 20, inodes: 9 })
    expect(await failureOf(() => keepBefore(scope, versions, []))).toMatchObject({
      code: 'VOLUME_FULL',
      message:
        'cannot copy the internal database before its upgrade: about 164 MiB are needed, and ' +
        '150.0 MiB are free',
    })
    expect(done()).toEqual([])
  })

  test('is removed once four newer ones are kept', async () => {
    const kept = [1, 2, 3, 4, 5].map((day) => ({
      name: `mathesar_django_of_${day}`,
      note: noteOf('1', `2026-01-0${day}`, []),
    }))
    const { scope, done, said } = stage(kept)
    await keepBefore(scope, versions, [])
    expect(done().at(-1)).toBe('DROP DATABASE "mathesar_django_of_1"')
    expect(said).toContain('info mathesar_django_of_1 is removed: 4 newer ones are kept')
  })
})

describe('what was kept just now', () => {
  const newer = [1, 2, 3, 4].map((day) => ({
    name: `mathesar_django_of_${day}`,
    note: noteOf('1', `2026-01-0${day}`, []),
  }))
  const dated1970 = (name: string) => ({ name, note: noteOf('1', '1970-01-01', []) })

  test('stays where the clock is behind what was kept before', async () => {
    const { scope, done } = stage([...newer, dated1970('mathesar_django_before_0.11.0')])
    await keepBefore(scope, versions, [])
    expect(
      done()
        .slice(1)
        .filter((text) => text.startsWith('DROP')),
    ).toEqual(['DROP DATABASE "mathesar_django_of_1"'])
  })

  test('stays, too, where it was put aside on the way back', async () => {
    const { scope, done } = stage([...newer, dated1970('mathesar_django_of_0.11.0')])
    const kept = { name: 'mathesar_django_before_0.11.0', version: '0.9.0', at: '', applied: [], bytes: 1 }
    const left = { version: '0.11.0', applied: image, database: 'mathesar_django_of_0.11.0' }
    await goBackTo(scope, kept, left)
    expect(done().filter((text) => text.startsWith('DROP'))).toEqual(['DROP DATABASE "mathesar_django_of_1"'])
  })
})

describe('the way back', () => {
  test('is the newest of those that this image can go on with', async () => {
    const { scope } = stage([
      { name: 'mathesar_django_before_0.10.0', note: noteOf('0.9.0', '2026-01-01', image.slice(0, 1)) },
      { name: 'mathesar_django_before_0.11.0', note: noteOf('0.10.0', '2026-02-01', image) },
      {
        name: 'mathesar_django_before_0.12.0',
        note: noteOf('0.11.0', '2026-03-01', [...image, 'mathesar.0003_newer']),
      },
      { name: 'mathesar_django_x', note: null },
      { name: 'mathesar_django_y', note: '{"version":1}' },
    ])
    expect(await findWayBack(scope, image)).toMatchObject({
      name: 'mathesar_django_before_0.11.0',
      version: '0.10.0',
    })
    expect(await findWayBack(scope, ['mathesar.0000_older'])).toBeUndefined()
  })

  test('is one transaction, and keeps the database that is left', async () => {
    const { scope, done } = stage()
    const kept = { name: 'mathesar_django_before_0.11.0', version: '0.9.0', at: '', applied: [], bytes: 1 }
    const database = await chooseName(scope, '0.11.0')
    await goBackTo(scope, kept, { version: '0.11.0', applied: image, database })
    expect(done()).toEqual([
      // A start that was cut off may have given the connected databases the newer SQL.
      'ALTER DATABASE "mathesar_django_before_0.11.0" ALLOW_CONNECTIONS true',
      "UPDATE mathesar_database SET last_confirmed_sql_version = '0.0.0'",
      'ALTER DATABASE "mathesar_django_before_0.11.0" ALLOW_CONNECTIONS false',
      'BEGIN',
      'ALTER DATABASE mathesar_django RENAME TO "mathesar_django_of_0.11.0"',
      'ALTER DATABASE "mathesar_django_of_0.11.0" OWNER TO postgres',
      'ALTER DATABASE "mathesar_django_of_0.11.0" ALLOW_CONNECTIONS false',
      expect.stringContaining('"version":"0.11.0"'),
      'ALTER DATABASE "mathesar_django_before_0.11.0" RENAME TO mathesar_django',
      'ALTER DATABASE mathesar_django OWNER TO mathesar',
      'ALTER DATABASE mathesar_django ALLOW_CONNECTIONS true',
      'COMMENT ON DATABASE mathesar_django IS NULL',
      'COMMIT',
    ])
  })

  test('leaves what an earlier one kept as it is', async () => {
    const { scope, database } = createScope()
    const names = ['mathesar_django_of_1.0', 'mathesar_django_of_1.0.2', 'mathesar_django_of_1.0.0']
    database.answerWith((text) => (text.includes('starts_with') ? names.map((name) => ({ name })) : []))
    expect(await chooseName(scope, '1.0')).toBe('mathesar_django_of_1.0.3')
    expect(await chooseName(scope, '0.9')).toBe('mathesar_django_of_0.9')
  })
})
