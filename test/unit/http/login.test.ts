import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { isPasswordOf, Login } from '../../../src/http/door/login.ts'

/** As Django 4.2 writes them. */
const stored = 'pbkdf2_sha256$1000$NaCl4Django$fQ5MnXqKqL8IEBhgngd6Qsjebo7mHzRwAe5uMrIwn9E='
const password = 'correct horse'

describe('a password of Django', () => {
  test.each([
    [stored, password, true],
    [stored, 'correct horsf', false],
    [stored, '', false],
    [stored.replace('1000', '1001'), password, false],
    [stored.replace('1000', '0'), password, false],
    [stored.replace('sha256', 'sha1'), password, false],
    [stored.slice(0, -2), password, false],
    ['!unusable', password, false],
    ['x', 'x', false],
    ['', '', false],
  ])('%j is that of %j: %s', async (text, typed, expected) => {
    expect(await isPasswordOf(text, typed, 0)).toBe(expected)
  })
})

describe('the time of a try', () => {
  test.each([
    ['of an administrator with Django 4.2', stored.replace('1000', '600000')],
    ['with Django 5.2', stored.replace('1000', '1000000')],
    ['who logs in by SSO alone', '!unusable'],
    ['of nobody', ''],
  ])('is the same, %s', async (_, text) => {
    const crypto = process.getBuiltinModule('node:crypto')
    const derive = vi.spyOn(crypto, 'pbkdf2').mockImplementation((...of) => of[5](null, Buffer.alloc(of[3])))
    onTestFinished(() => derive.mockRestore())
    expect(await isPasswordOf(text, 'wrong')).toBe(false)
    expect(derive.mock.calls.reduce((sum, [, , rounds]) => sum + rounds, 0)).toBe(1_000_000)
  })
})

describe('the login of an administrator', () => {
  const passwordOf = async (name: string): Promise<string | undefined> =>
    name === 'ada' ? stored : undefined

  test('takes a name as Django keeps it, with its password', async () => {
    const login = new Login(passwordOf, () => 0, 1)
    expect(await login.prove('ａｄａ', password)).toEqual({ is: 'right' })
    expect(await login.prove('ada', 'wrong')).toEqual({ is: 'wrong' })
    expect(await login.prove('eve', password)).toEqual({ is: 'wrong' })
  })

  test('looks at some tries, and then at one in 5 s, right or wrong, however many come at once', async () => {
    let nowMs = 0
    let reads = 0
    const login = new Login(
      async (name) => {
        reads++
        return await passwordOf(name)
      },
      () => nowMs,
      1,
    )
    const proofs = await Promise.all(Array.from({ length: 100 }, () => login.prove('ada', password)))
    expect(proofs.filter(({ is }) => is === 'right')).toHaveLength(5)
    expect(proofs.at(-1)).toEqual({ is: 'unheard', waitMs: 5000 })
    nowMs = 5000
    expect(await login.prove('ada', 'wrong')).toEqual({ is: 'wrong' })
    expect(await login.prove('ada', password)).toEqual({ is: 'unheard', waitMs: 5000 })
    expect(reads).toBe(6)
  })

  test('asks Postgres for no name that it does not take', async () => {
    const login = new Login(
      () => Promise.reject(new Error('invalid byte sequence for encoding "UTF8": 0x00')),
      () => 0,
      1,
    )
    expect(await login.prove('ada\0', password)).toEqual({ is: 'wrong' })
  })

  test('rejects where the database does not say', async () => {
    const login = new Login(
      () => Promise.reject(new Error('it is away')),
      () => 0,
      1,
    )
    await expect(login.prove('ada', password)).rejects.toThrow('it is away')
  })
})
