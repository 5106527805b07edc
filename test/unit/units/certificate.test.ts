import { describe, expect, test } from 'vitest'
import { certificate } from '../../../src/units/door/certificate.ts'
import type { Pair } from '../../../src/settings/certificate.ts'
import type { Certificate } from '../../../src/units/results.ts'
import { hasOpenssl } from '../../helpers/certificates.ts'
import { makePairs } from '../../helpers/pairs.ts'
import { readFile } from '../configurations.ts'
import { createScope, never, placeOf } from '../fakes/scope.ts'

const place = { paths: { ...placeOf().paths, nginx: '/usr/sbin/nginx' } }
const config = 'TLS_CERTIFICATE=/tls/crt\nTLS_KEY=/tls/key\n'

const stage = (options: Parameters<typeof createScope>[0] = {}) => {
  const fake = createScope({ place, config, ...options })
  fake.disk.files.makeFolder('/tls', 0o700)
  const put = (pair: { readonly certificate: string; readonly key: string }): void => {
    fake.disk.put('/tls/crt', pair.certificate)
    fake.disk.put('/tls/key', pair.key)
  }
  const run = async () => (await certificate.run(fake.scope, never)) as Certificate | undefined
  return { ...fake, put, run }
}

describe('without TLS there is no certificate', () => {
  test('and nothing is read', async () => {
    expect(await stage({ config: '' }).run()).toBeUndefined()
    expect(certificate.skip!(readFile(''), placeOf())).toBe('there is no nginx here')
  })
})

describe('a certificate that is made here', () => {
  test('is on the disk before it has its name: people install its authority once', async () => {
    const { run, disk, replies } = stage({ config: 'TLS=self-signed\n' })
    replies.program = async ({ command: { argv } }) => {
      disk.put(argv.at(-1)!, 'made')
      return { outcome: { code: 0, signal: null }, lines: [] }
    }
    await expect(run()).rejects.toThrow('its own authority cannot be read') // OpenSSL alone makes a good one.
    const path = '/data/secrets/tls/authority'
    expect(disk.acts.filter((act) => /^(syncFile|renameWhole) /.test(act))).toEqual([
      `syncFile ${path}.key.new`,
      `renameWhole ${path}.key.new`,
      `syncFile ${path}.crt.new`,
      `renameWhole ${path}.crt.new`,
    ])
  })
})

describe.skipIf(!hasOpenssl)('the certificate of the door', () => {
  const [one, other, expired] = makePairs(
    { from: '20260901000000Z', until: '20270101000000Z' },
    { from: '20260901000000Z', until: '20270201000000Z' },
    { from: '20260101000000Z', until: '20260901000000Z' },
  ) as [Pair, Pair, Pair]

  test('is copied to where the door alone reads it', async () => {
    const { put, run, disk } = stage()
    put(one)
    const { id, certificateFile, keyFile, notAfterMs, authority } = (await run())!
    expect([certificateFile, keyFile]).toEqual([`/run/m/door/tls-${id}.crt`, `/run/m/door/tls-${id}.key`])
    expect([disk.text(certificateFile), disk.text(keyFile)]).toEqual([one.certificate, one.key])
    expect(disk.modeOf(keyFile)).toBe('0400 8001:8002')
    expect([notAfterMs, authority]).toEqual([Date.parse('2027-01-01'), undefined])
  })

  test('leaves the copy that the door goes by, and removes those before', async () => {
    const { put, run, disk } = stage()
    put(one)
    const first = (await run())!
    disk.put('/run/m/etc/nginx.conf', `ssl_certificate ${first.certificateFile}; ${first.keyFile}`)
    put(other)
    const second = (await run())!
    expect(disk.files.isThere(first.keyFile)).toBe(true)
    disk.put('/run/m/etc/nginx.conf', `ssl_certificate ${second.certificateFile}; ${second.keyFile}`)
    await run()
    expect([disk.files.isThere(first.keyFile), disk.files.isThere(second.keyFile)]).toEqual([false, true])
  })

  test.each([
    ['TLS_KEY=/tls/key\n', 'cannot use TLS: TLS_KEY is given without TLS_CERTIFICATE'],
    ['TLS_CERTIFICATE=/tls/crt\n', 'cannot use TLS: TLS_CERTIFICATE is given without TLS_KEY'],
    [
      'TLS_CERTIFICATE=/tls/none\nTLS_KEY=/tls/key\n',
      'cannot use TLS: there is no file /tls/none, which TLS_CERTIFICATE names',
    ],
    [
      'TLS_CERTIFICATE=/tls\nTLS_KEY=/tls/key\n',
      'cannot use TLS: cannot read TLS_CERTIFICATE /tls: it is a folder',
    ],
  ])('is refused with %j', async (text, message) => {
    const { put, run } = stage({ config: text })
    put(one)
    await expect(run()).rejects.toMatchObject({ code: 'TLS_INVALID', message })
  })

  test('that has expired is taken by a boot, and refused by a change', async () => {
    const boot = stage()
    boot.put(expired)
    expect(await boot.run()).toMatchObject({ notAfterMs: Date.parse('2026-09-01') })
    const change = stage({ isBoot: false })
    change.put(expired)
    await expect(change.run()).rejects.toThrow('the TLS certificate has expired on 2026-09-01')
  })
})
