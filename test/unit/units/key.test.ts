import { describe, expect, test } from 'vitest'
import { key } from '../../../src/units/mathesar/key.ts'
import { failureOf } from '../failure.ts'
import { serverError } from '../fakes/postgres.ts'
import { createScope, externalDatabase, never } from '../fakes/scope.ts'

const keyFile = '/data/secrets/secret_key'
const pending = { secretKey: 'a new key', isKeyPending: true, superuserPassword: undefined }
const stage = (secrets = pending) => createScope({ config: externalDatabase, results: { secrets } })

describe('the task `key`', () => {
  test('keeps a new key once the external database is seen to have no tables of Mathesar', async () => {
    const { scope, disk, database } = stage()
    database.answerWith(() => [])
    await key.run(scope, never)
    expect([disk.text(keyFile), disk.modeOf(keyFile)]).toEqual(['a new key', '0600 0:0'])
  })

  test('refuses a new key for the database of an earlier installation, and writes none', async () => {
    const { scope, disk, database } = stage()
    database.answerWith(() => [{ isTable: true, migration: 'mathesar.0001_initial' }])
    const failure = await failureOf(() => key.run(scope, never))
    expect(failure).toMatchObject({ code: 'SECRETS_MISSING' })
    expect(failure.message).toContain('the database (db.example.org, app) is that of an earlier installation')
    expect(failure.hint).toContain('-e SECRET_KEY=…')
    expect(disk.text(keyFile)).toBeUndefined()
  })

  test('has nothing to do where the key was kept or given, and asks no database', async () => {
    const { scope, database } = stage({ ...pending, isKeyPending: false })
    await key.run(scope, never)
    expect(database.logins).toEqual([])
  })

  test('has nothing to do with the embedded database', async () => {
    const { scope, database } = createScope()
    await key.run(scope, never)
    expect(database.logins).toEqual([])
  })

  test('writes nothing when the database goes away', async () => {
    const { scope, disk, database } = stage()
    database.answerWith(() => serverError('57P01'))
    expect(await failureOf(() => key.run(scope, never))).toMatchObject({ code: 'DATABASE_LOST' })
    expect(disk.text(keyFile)).toBeUndefined()
  })
})
