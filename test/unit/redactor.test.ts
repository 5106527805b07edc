import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Redactor } from '../../src/core/redactor.ts'

describe('a secret', () => {
  const redactorOf = (...secrets: (string | undefined)[]) => {
    const redactor = new Redactor()
    for (const secret of secrets) redactor.add(secret)
    return redactor
  }

  test('is redacted everywhere', () => {
    expect(redactorOf('hunter2').redact('a hunter2 b hunter2')).toBe('a [redacted] b [redacted]')
  })

  test('is redacted as JSON and in a URL', () => {
    const redactor = redactorOf('p"w\\d/@é')
    expect(redactor.redact(`msg ${JSON.stringify({ password: 'p"w\\d/@é' })}`)).toBe(
      'msg {"password":"[redacted]"}',
    )
    expect(redactor.redact(`postgres://u:${encodeURIComponent('p"w\\d/@é')}@db/m`)).toBe(
      'postgres://u:[redacted]@db/m',
    )
  })

  test('of several lines is redacted in JSON', () => {
    expect(redactorOf('{\n"key": 1\n}').redact(JSON.stringify({ msg: 'is {\n"key": 1\n}' }))).toContain(
      '"msg":"is [redacted]"',
    )
  })

  test('is redacted in bytes as in text', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('hunter2', 'hunter2-and-more', 'é', 'hunter', '\n', ' x ')),
        (parts) => {
          const redactor = redactorOf('hunter2', 'hunter2-and-more')
          const clean = redactor.redactBytes(Buffer.from(parts.join(''))).toString()
          expect(clean).toBe(redactor.redact(parts.join('')))
        },
      ),
    )
  })

  test('of several lines holds back what may be its beginning', () => {
    const redactor = redactorOf('{\n"key": 1\n}', 'a single line')
    const heldOf = (text: string): string => text.slice(redactor.heldFrom(Buffer.from(text)))
    expect(heldOf('x {\n"key": 1\n')).toBe('{\n"key": 1\n')
    expect(heldOf('{\n{\n"ke')).toBe('{\n"ke')
    expect(heldOf('{\n"key": 2')).toBe('')
    expect(heldOf('a single li')).toBe('')
  })

  test('with the characters of patterns is taken literally', () => {
    expect(redactorOf('a.*b$&c').redact('axxb a.*b$&c')).toBe('axxb [redacted]')
  })

  test('too short to be distinguished from ordinary text is left alone', () => {
    expect(redactorOf('abc', '', undefined).redact('abc')).toBe('abc')
  })

  test('that has half of a character is redacted', () => {
    expect(redactorOf('\ud800hunter2').redact('a \ud800hunter2')).toBe('a [redacted]')
  })

  test('stays redacted while it is added again, however many others come and go', { timeout: 60_000 }, () => {
    const redactor = new Redactor()
    const before = process.threadCpuUsage()
    for (let round = 0; round < 100; round++)
      redactor.add(...Array.from({ length: 100 }, (_, index) => `other-${round}-${index}`), 'hunter2')
    const { user, system } = process.threadCpuUsage(before)
    expect(redactor.redact('hunter2 other-99-99 other-0-0')).toBe('[redacted] [redacted] other-0-0')
    expect((user + system) / 1000).toBeLessThan(2000)
    for (let round = 0; round < 50; round++) redactor.add(`${round}${'x'.repeat(100_000)}`)
    expect(redactor.redact('hunter2 other-99-99')).toBe('hunter2 other-99-99')
  })

  test('that begins with another is redacted whole', () => {
    expect(redactorOf('hunter2', 'hunter2-and-more').redact('hunter2-and-more')).toBe('[redacted]')
  })

  test('is never in what comes out, in any form', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 6, maxLength: 40 }), (secret) => {
        const redactor = redactorOf(secret)
        for (const form of [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret)])
          expect(redactor.redact(form)).toBe('[redacted]')
      }),
    )
  })
})
