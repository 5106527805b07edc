import { describe, expect, test } from 'vitest'
import { Certificates } from '../../src/daemon/certificates.ts'
import { SupervisorError } from '../../src/errors.ts'
import { type Pair, readPair } from '../../src/settings/certificate.ts'
import type { Certificate } from '../../src/units/results.ts'
import { hasOpenssl } from '../helpers/certificates.ts'
import { makePairs } from '../helpers/pairs.ts'
import { createScope } from './fakes/scope.ts'

describe.skipIf(!hasOpenssl)('the certificate of the door', () => {
  const [one, two, bad, inDays, inWeeks] = makePairs(
    ...['20261201', '20270201', '20270301', '20261015120500', '20261031120500'].map((until) => ({
      from: '20260901000000Z',
      until: `${until.padEnd(14, '0')}Z`,
    })),
  ) as [Pair, Pair, Pair, Pair, Pair]

  const stage = (first = one, authority?: string) => {
    const fake = createScope({ config: 'TLS_CERTIFICATE=/tls/crt\nTLS_KEY=/tls/key\n' })
    fake.disk.files.makeFolder('/tls', 0o700)
    const put = (pair: typeof one): void => {
      fake.disk.put('/tls/crt', pair.certificate)
      fake.disk.put('/tls/key', pair.key)
    }
    const resultOf = (pair: typeof one): Certificate => ({
      ...readPair(pair),
      certificateFile: '',
      keyFile: '',
      authority,
    })
    const results = { certificate: resultOf(first) }
    let changes = 0
    const change = async (): Promise<void> => {
      changes += 1
      const text = fake.disk.text('/tls/crt')
      if (text === bad.certificate) throw new SupervisorError('TLS_INVALID', 'cannot use TLS: it is bad')
      results.certificate = resultOf(two)
    }
    const instance = { results, inForce: fake.scope.inForce, isStopping: false, change }
    put(first)
    const certificates = new Certificates(fake.system, instance, { interrupt: (act) => act() })
    certificates.start()
    return { ...fake, put, certificates, changes: () => changes }
  }

  test('is renewed once its files hold another one, and hold it for a while', async () => {
    const { put, certificates, clock, changes, said } = stage()
    await clock.advance(60_000)
    expect(changes()).toBe(0)
    put(two)
    await clock.advance(3000)
    expect(changes()).toBe(0)
    await clock.advance(3000)
    expect([changes(), certificates.problems()]).toEqual([1, []])
    expect(said.at(-1)).toBe('info a new TLS certificate is in force, until 2027-02-01T00:00:00.000Z')
    await clock.advance(60_000)
    expect(changes()).toBe(1)
    certificates.stop()
    expect(clock.armed).toBe(0)
  })

  test('stays where the new one is bad, which is tried once and is a problem until it is good', async () => {
    const { put, certificates, clock, changes } = stage()
    put(bad)
    await clock.advance(100_000)
    expect([changes(), certificates.problems()]).toEqual([
      1,
      [
        {
          unit: 'supervisor',
          code: 'TLS_INVALID',
          message: 'cannot use TLS: it is bad; the one before stays in force',
          hint: expect.stringContaining('TLS_KEY'),
        },
      ],
    ])
    put(one)
    await clock.advance(10_000)
    expect([changes(), certificates.problems()]).toEqual([1, []])
    certificates.stop()
  })

  // The clock begins at noon of the first of October.
  test('is a problem fourteen days before it expires', async () => {
    const { certificates, clock } = stage(inDays)
    await clock.advance(290_000)
    expect(certificates.problems()).toEqual([])
    await clock.advance(20_000)
    expect(certificates.problems()).toMatchObject([{ code: 'TLS_EXPIRING' }])
    certificates.stop()
  })

  test('that was made here is made anew a month before it expires', async () => {
    const { certificates, clock, changes } = stage(inWeeks, 'our own')
    await clock.advance(290_000)
    expect(changes()).toBe(0)
    await clock.advance(40_000)
    expect(changes()).toBe(1)
    certificates.stop()
  })
})
