import { createHash, createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { scramVerifier } from '../../../src/units/postgres/scram.ts'

describe('a SCRAM verifier', () => {
  const salt = 'W22ZaJ0SNY7soEsUEjb6gQ=='
  const parts = (verifier: string) =>
    /^SCRAM-SHA-256\$(\d+):([^$:]+)\$([^$:]+):([^$:]+)$/.exec(verifier)!.slice(1)

  test('proves the exchange of RFC 7677', () => {
    const nonce = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
    const message = `n=user,r=rOprNGfwEbeRWgbNEkqO,r=${nonce},s=${salt},i=4096,c=biws,r=${nonce}`
    const [iterations, kept, storedKey, serverKey] = parts(
      scramVerifier('pencil', Buffer.from(salt, 'base64'), 4096),
    )
    expect([iterations, kept]).toEqual(['4096', salt])
    const sign = (key: string): Buffer =>
      createHmac('sha256', Buffer.from(key, 'base64')).update(message).digest()
    expect(sign(serverKey!).toString('base64')).toBe('6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
    const proof = Buffer.from('dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=', 'base64')
    const clientKey = sign(storedKey!).map((byte, index) => byte ^ proof[index]!)
    expect(createHash('sha256').update(clientKey).digest('base64')).toBe(storedKey)
  })

  test('is the same for the same salt, another for another password', () => {
    const fixed = Buffer.from(salt, 'base64')
    expect(scramVerifier('pencil', fixed)).toBe(scramVerifier('pencil', fixed))
    expect(scramVerifier('pencils', fixed)).not.toBe(scramVerifier('pencil', fixed))
  })

  test('has a salt of its own and never the password', () => {
    const verifier = scramVerifier('pencil')
    expect(verifier).not.toBe(scramVerifier('pencil'))
    expect(verifier).not.toContain('pencil')
    expect(
      parts(verifier)
        .map((part) => Buffer.from(part, 'base64').length)
        .slice(1),
    ).toEqual([16, 32, 32])
  })
})
