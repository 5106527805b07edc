import { describe, expect, test } from 'vitest'
import { connectionOf } from '../../../src/units/postgres/connection.ts'
import { failureOf } from '../failure.ts'
import { createScope } from '../fakes/scope.ts'

const certificate = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'
const external = (more = ''): string =>
  `POSTGRES_HOST=db\nPOSTGRES_DB=app\nPOSTGRES_USER=joe\nPOSTGRES_PASSWORD=hunter2\n${more}`
const plain = { host: 'db', port: 5432, database: 'app', user: 'joe', password: 'hunter2', ssl: false }

describe('the connection to the database', () => {
  test('is the socket of the embedded Postgres, as the role of Mathesar', () => {
    expect(connectionOf(createScope().scope)).toEqual([
      { host: '/run/m/postgres', port: 5432, user: 'mathesar', database: 'mathesar_django', ssl: false },
    ])
  })

  test.each([
    ['', [true, false]],
    ['POSTGRES_SSLMODE=disable\n', [false]],
    ['POSTGRES_SSLMODE=allow\n', [false, true]],
    ['POSTGRES_SSLMODE=require\n', [true]],
  ])('to another one with %j is tried with TLS: %j', (more, ways) => {
    const { scope } = createScope({ config: external(more) })
    expect(connectionOf(scope)).toEqual(
      ways.map((tls) => (tls ? { ...plain, ssl: { rejectUnauthorized: false } } : plain)),
    )
  })

  test('to one of several is tried with each in turn, in every way', () => {
    const { scope } = createScope({ config: external('').replace('=db', '=db,db2') })
    const tls = { rejectUnauthorized: false }
    expect(connectionOf(scope)).toEqual(
      ['db', 'db2'].flatMap((host) => [
        { ...plain, host, ssl: tls },
        { ...plain, host },
      ]),
    )
  })

  test('that has to be bound to its TLS is never tried without', () => {
    const { scope } = createScope({ config: 'DATABASE_URL=postgres://joe@db/app?channel_binding=require\n' })
    expect(connectionOf(scope)).toMatchObject([
      { ssl: { rejectUnauthorized: false }, enableChannelBinding: true },
    ])
  })

  test('without a password has none to hand over', () => {
    const { scope } = createScope({ config: 'DATABASE_URL=postgres://joe@db/app?sslmode=disable\n' })
    const { password: _, ...rest } = plain
    expect(connectionOf(scope)).toEqual([rest])
  })

  test('checks the certificate by the CA that is given', () => {
    const { scope, disk } = createScope({
      config: external('POSTGRES_SSLMODE=verify-full\nPOSTGRES_SSLROOTCERT=/ca.pem\n'),
    })
    disk.put('/ca.pem', certificate, 0o644)
    expect(connectionOf(scope)).toEqual([{ ...plain, ssl: { rejectUnauthorized: true, ca: certificate } }])
  })

  test.each([
    ['is not there', undefined, 0o644, 'ENOENT'],
    ['holds no certificate', 'hunter2', 0o644, 'it holds no certificate in PEM'],
    ['Mathesar may not read', certificate, 0o600, 'user mathesar, who runs Mathesar, may not read it'],
  ])('says at once that the file of the CA %s', async (_, text, mode, why) => {
    const { scope, disk } = createScope({
      config: external('POSTGRES_SSLMODE=verify-ca\nPOSTGRES_SSLROOTCERT=/ca.pem\n'),
    })
    if (text !== undefined) disk.put('/ca.pem', text, mode)
    const failure = await failureOf(() => connectionOf(scope))
    expect([failure.code, failure.message]).toEqual([
      'SETTING_INVALID',
      expect.stringContaining(`cannot use POSTGRES_SSLROOTCERT /ca.pem: ${why}`),
    ])
    expect(`${failure.message}${failure.hint}`).not.toContain('hunter2')
  })

  test('without TLS reads no certificate', () => {
    const { scope } = createScope({
      config: external('POSTGRES_SSLMODE=disable\nPOSTGRES_SSLROOTCERT=/gone.pem\n'),
    })
    expect(connectionOf(scope)).toEqual([plain])
  })
})
