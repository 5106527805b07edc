import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { isPasswordOf, Login } from '../../../src/http/door/login.ts'

const crypto = process.getBuiltinModule('node:crypto')
const { pbkdf2 } = crypto
/** Rounds so far. Those that are there for their time alone are left out. */
let rounds = 0
beforeEach(() => {
  rounds = 0
  vi.spyOn(crypto, 'pbkdf2').mockImplementation((...[password, salt, count, ...more]) => {
    rounds += count
    pbkdf2(password, salt, Math.min(count, 1001), ...more)
  })
})
afterEach(() => vi.restoreAllMocks())

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
    expect(await isPasswordOf(text, typed)).toBe(expected)
  })
})

describe('the time of a try', () => {
  test.each([
    ['of an administrator with Django 4.2', stored.replace('1000', '600000')],
    ['with Django 5.2', stored.replace('1000', '1000000')],
    ['who logs in by SSO alone', '!unusable'],
    ['of nobody', ''],
  ])('is the same, %s', async (_, text) => {
    expect(await isPasswordOf(text, 'wrong')).toBe(false)
    expect(rounds).toBe(1_000_000)
  })
})

describe('the login of an administrator', () => {
  const passwordOf = async (name: string): Promise<string | undefined> =>
    name === 'ada' ? stored : undefined
  const serves = async (): Promise<boolean> => true

  test('takes a name as Django keeps it, with its password', async () => {
    const login = new Login(passwordOf, () => 0)
    expect(await login.prove('ａｄａ', password, serves)).toEqual({ is: 'right' })
    expect(await login.prove('ada', 'wrong', serves)).toEqual({ is: 'wrong' })
    expect(await login.prove('eve', password, serves)).toEqual({ is: 'wrong' })
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
    )
    const proofs = await Promise.all(Array.from({ length: 100 }, () => login.prove('ada', password, serves)))
    expect(proofs.filter(({ is }) => is === 'right')).toHaveLength(5)
    expect(proofs.at(-1)).toEqual({ is: 'unheard', waitMs: 5000 })
    nowMs = 5000
    expect(await login.prove('ada', 'wrong', serves)).toEqual({ is: 'wrong' })
    expect(await login.prove('ada', password, serves)).toEqual({ is: 'unheard', waitMs: 5000 })
    expect(reads).toBe(6)
  })

  test('asks Postgres for no name that it does not take', async () => {
    const login = new Login(
      () => Promise.reject(new Error('invalid byte sequence for encoding "UTF8": 0x00')),
      () => 0,
    )
    expect(await login.prove('ada\0', password, serves)).toEqual({ is: 'wrong' })
  })

  test('rejects where the database does not say', async () => {
    const login = new Login(
      () => Promise.reject(new Error('it is away')),
      () => 0,
    )
    await expect(login.prove('ada', password, serves)).rejects.toThrow('it is away')
  })

  test('has nobody wake Mathesar who is not heard', async () => {
    let wakes = 0
    const login = new Login(passwordOf, () => 0)
    const isServing = async (): Promise<boolean> => ++wakes > 1
    const proofs = await Promise.all(Array.from({ length: 8 }, () => login.prove('ada', password, isServing)))
    expect(proofs.map(({ is }) => is)).toEqual([
      'away',
      ...Array<string>(4).fill('right'),
      ...Array<string>(3).fill('unheard'),
    ])
    expect(wakes).toBe(5)
  })
})
