import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { type Pair, readPair, whyBadDates, whyRenew } from '../../src/settings/certificate.ts'
import { hasOpenssl } from '../helpers/certificates.ts'
import { makePairs } from '../helpers/pairs.ts'

const dayMs = 86_400_000

describe.skipIf(!hasOpenssl)('a certificate and its key', () => {
  const [one, other, rsa, short, dated] = makePairs(
    { name: 'one' },
    { name: 'other' },
    { key: ['-newkey', 'rsa:2048', '-pkeyopt', 'rsa_keygen_primes:3'] }, // Found sooner than two.
    { key: ['-newkey', 'rsa:1024'] },
    { from: '20260101000000Z', until: '20260401000000Z' },
  ) as [Pair, Pair, Pair, Pair, Pair]

  test('are read with their dates, whatever stands around them', () => {
    const facts = readPair({
      ...one,
      certificate: `Bag Attributes\n${one.certificate}\n${other.certificate}`,
    })
    expect(facts.notAfterMs - facts.notBeforeMs).toBe(90 * dayMs)
    expect(readPair(one).id).toMatch(/^[0-9a-f]{16}$/)
    expect(readPair(one).id).not.toBe(readPair(other).id)
    expect(readPair(rsa)).toBeDefined()
  })

  test.each([
    ['another key', { ...one, key: other.key }, 'TLS_KEY does not belong to TLS_CERTIFICATE'],
    [
      'the issuer first',
      { certificate: other.certificate + one.certificate, key: one.key },
      'the first certificate in TLS_CERTIFICATE must be the one of TLS_KEY, and those of its issuers follow',
    ],
    ['no certificate', { ...one, certificate: 'hello' }, 'TLS_CERTIFICATE holds no certificate in PEM'],
    [
      'a damaged certificate',
      { ...one, certificate: one.certificate.replace(/M\w{8}/, 'AAAAAAAAA') },
      'certificate 1 in TLS_CERTIFICATE cannot be read',
    ],
    [
      'a hundred certificates',
      { ...one, certificate: one.certificate.repeat(100) },
      'TLS_CERTIFICATE holds more than 10 certificates',
    ],
    ['no key', { ...one, key: one.certificate }, 'TLS_KEY holds no private key in PEM'],
    [
      'a key with a passphrase',
      {
        ...one,
        key: generateKeyPairSync('ec', { namedCurve: 'P-256' })
          .privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' })
          .toString(),
      },
      'TLS_KEY has a passphrase, which the web server has nobody to ask for',
    ],
    ['a short key', short, 'the key has 1024 bits, and 2048 are the least that is safe'],
  ])('are refused with %s', (_, pair, why) => {
    expect(() => readPair(pair)).toThrow(why)
  })

  test('say when they are not valid, and when they soon will not be', () => {
    const facts = readPair(dated)
    const at = (day: string) => [whyBadDates(facts, Date.parse(day)), whyRenew(facts, Date.parse(day))]
    expect(at('2026-02-01')).toEqual([undefined, undefined])
    expect(at('2026-03-17')).toEqual([undefined, undefined])
    expect(at('2026-03-19')).toEqual([undefined, 'the TLS certificate expires on 2026-04-01'])
    const early = 'the TLS certificate is not valid before 2026-01-01'
    expect(at('2025-12-31')).toEqual([early, early])
    const late = 'the TLS certificate has expired on 2026-04-01'
    expect(at('2026-04-02')).toEqual([late, late])
  })
})
