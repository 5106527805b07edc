import { describe, expect, test } from 'vitest'
import { connectionAttempts, isTlsFailure, tlsOptions } from '../../src/settings/tls.ts'

describe('TLS to the database', () => {
  test.each<[string | undefined, string[]]>([
    [undefined, ['tls', 'plain']],
    ['disable', ['plain']],
    ['allow', ['plain', 'tls']],
    ['prefer', ['tls', 'plain']],
    ['require', ['tls']],
    ['verify-ca', ['tls']],
    ['verify-full', ['tls']],
  ])('with sslmode %s is tried in this order: %j', (sslmode, ways) => {
    expect(connectionAttempts({ host: 'db', sslmode })).toEqual(ways)
    expect(connectionAttempts({ host: '/run/postgresql', sslmode })).toEqual(['plain'])
  })

  test.each<[string | undefined, boolean]>([
    [undefined, false],
    ['allow', false],
    ['prefer', false],
    ['require', false],
    ['verify-ca', false],
    ['verify-full', true],
  ])('with sslmode %s and a CA checks the chain, and the name: %s', (sslmode, name) => {
    const options = tlsOptions(sslmode, 'the CA')
    expect(options).toMatchObject({ rejectUnauthorized: true, ca: 'the CA' })
    expect('checkServerIdentity' in options).toBe(!name)
  })

  test('without a CA checks nothing', () => {
    expect(tlsOptions('require', undefined)).toEqual({ rejectUnauthorized: false })
  })

  test.each<[string, object, boolean]>([
    ['The server does not support SSL connections', {}, true],
    ['self-signed certificate in certificate chain', { code: 'SELF_SIGNED_CERT_IN_CHAIN' }, true],
    ['unable to verify the first certificate', { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' }, true],
    [
      "Hostname/IP does not match certificate's altnames: Host: db. is not in the cert's altnames: DNS:other",
      { code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
      true,
    ],
    [
      'write EPROTO 0080:error:0A000102:SSL routines:ssl_choose_client_version:unsupported protocol',
      { code: 'EPROTO' },
      true,
    ],
    ['connect ECONNREFUSED 127.0.0.1:5432', { code: 'ECONNREFUSED' }, false],
    ['timeout expired', {}, false],
    ['database "SSL" does not exist', { severity: 'FATAL', code: '3D000' }, false],
  ])('knows whether it failed: %s', (message, fields, failed) => {
    expect(isTlsFailure(Object.assign(new Error(message), fields))).toBe(failed)
  })
})
