import { describe, expect, test } from 'vitest'
import { type Invitation, SignIn, setupPurposes } from '../../../src/http/door/sign-in.ts'
import { isSameOrigin } from '../../../src/http/door/same-origin.ts'

const minuteMs = 60_000

const stage = (given?: string) => {
  const at = { nowMs: Date.parse('2026-11-26T12:00:00Z'), made: 0, told: [] as Invitation[] }
  const signIn = new SignIn({
    purposes: setupPurposes,
    now: () => at.nowMs,
    randomText: (length) => String(++at.made).padStart(length, '0'),
    given,
    tell: (invitation) => void at.told.push(invitation),
  })
  return { signIn, at }
}
/** What a browser sends back of the cookies that it gets. */
const cookieOf = (cookies: readonly string[]): string => cookies.map((each) => each.split(';')[0]).join('; ')

describe('the setup code', () => {
  test('is proved by what people type for it, and by the key of the link', () => {
    const { signIn } = stage()
    expect(signIn.invite()).toMatchObject({ code: '0001-0002', key: '3'.padStart(26, '0') })
    for (const text of ['0001-0002', ' oooi ooo2 ', '00010002', 'OOOLOOO2', '3'.padStart(26, '0')])
      expect(signIn.prove(text), text).toEqual({ is: 'right' })
    for (const text of ['', '0001', '0001-0003', '0001-00021'])
      expect(signIn.prove(text), text).toEqual({ is: 'wrong' })
  })

  test('may be chosen by the owner, is then shown nowhere, and does not change', () => {
    const { signIn, at } = stage('Correct horse')
    expect(signIn.invite()?.code).toBeUndefined()
    expect(signIn.prove(' Correct horse')).toEqual({ is: 'right' })
    for (const text of ['', '-', 'correct horse']) expect(signIn.prove(text)).toEqual({ is: 'wrong' })
    at.nowMs += 60 * minuteMs
    expect(signIn.prove('Correct horse')).toEqual({ is: 'right' })
  })

  test('is replaced after half an hour, and the owner is told', () => {
    const { signIn, at } = stage()
    signIn.tell()
    const { code, key } = signIn.invite()!
    at.nowMs += 30 * minuteMs - 1
    expect(signIn.prove(code!)).toEqual({ is: 'right' })
    at.nowMs += 1
    expect(signIn.prove(code!)).toEqual({ is: 'wrong' })
    expect(signIn.prove(key)).toEqual({ is: 'wrong' })
    expect(at.told.map((invitation) => invitation.code)).toEqual(['0001-0002', '0004-0005'])
    expect(signIn.prove('0004-0005')).toEqual({ is: 'right' })
  })

  test('that is wrong a thousand times is heard but a few times, and the link still opens', () => {
    const { signIn, at } = stage()
    const { code, key } = signIn.invite()!
    const outcomes = Array.from({ length: 1000 }, (_, index) => {
      at.nowMs += 10
      return signIn.prove(`1${index}`).is
    })
    expect(outcomes.filter((is) => is === 'wrong').length).toBeLessThanOrEqual(15)
    expect(new Set(outcomes)).toEqual(new Set(['wrong', 'unheard']))
    expect(signIn.prove(code!)).toMatchObject({ is: 'unheard' })
    expect(signIn.prove(key)).toEqual({ is: 'right' })
    at.nowMs += 2000
    expect(signIn.prove(code!)).toEqual({ is: 'right' })
  })

  test('counts no more once there is an administrator, and another one does when there is none again', () => {
    const { signIn, at } = stage()
    const { code, key } = signIn.invite()!
    const cookie = cookieOf(signIn.cookies(false))
    signIn.setOpen(true)
    expect(signIn.isSignedIn(cookie, 'setup')).toBe(true)
    signIn.tell()
    signIn.setOpen(false)
    expect(signIn.invite()).toBeUndefined()
    expect([signIn.isOpen, signIn.prove(code!), signIn.prove(key)]).toEqual([
      false,
      { is: 'over' },
      { is: 'over' },
    ])
    expect(signIn.isSignedIn(cookie, 'setup')).toBe(false)
    expect(at.told).toHaveLength(1)
    signIn.setOpen(true)
    expect([signIn.isOpen, signIn.prove(key)]).toEqual([true, { is: 'wrong' }])
    expect(signIn.isSignedIn(cookie, 'setup')).toBe(false)
  })
})

describe('the cookie of an owner', () => {
  test('is for one purpose, for half an hour, and out of the reach of pages', () => {
    const { signIn, at } = stage()
    const cookies = signIn.cookies(true)
    for (const [index, path] of ['/complete_installation/', '/supervisor/'].entries())
      expect(cookies[index]).toMatch(
        new RegExp(`^[^;]+; Path=${path}; HttpOnly; SameSite=Strict; Max-Age=1800; Secure$`),
      )
    expect(signIn.cookies(false)[0]).not.toContain('Secure')
    const all = `a=b; ${cookieOf(cookies)}; c=d`
    expect([signIn.isSignedIn(all, 'setup'), signIn.isSignedIn(all, 'supervisor')]).toEqual([true, true])
    const renamed = cookies[0]!.split(';')[0]!.replace('setup', 'supervisor')
    expect(signIn.isSignedIn(renamed, 'supervisor')).toBe(false)
    at.nowMs += 30 * minuteMs
    expect(signIn.isSignedIn(all, 'setup')).toBe(false)
  })

  test('is found behind others of its name, which Mathesar may set with a longer path', () => {
    const { signIn } = stage()
    const [cookie] = cookieOf(signIn.cookies(false)).split('; ')
    const other = `mathesar_setup_owner=1.${'A'.repeat(43)}`
    for (const all of [`${other}; ${cookie}`, `${cookie}; ${other}`, `${other}; ${other}; ${cookie}; a=b`])
      expect(signIn.isSignedIn(all, 'setup')).toBe(true)
    expect(signIn.isSignedIn(`${other}; ${other}`, 'setup')).toBe(false)
  })

  test('is void once the sessions were ended, also where the code of the owner signs it', () => {
    for (const given of [undefined, 'Correct horse']) {
      const { signIn, at } = stage(given)
      const before = cookieOf(signIn.cookies(false))
      at.nowMs += 1000
      signIn.setOpen(false)
      signIn.setOpen(true)
      expect(signIn.isSignedIn(before, 'setup')).toBe(false)
      const after = cookieOf(signIn.cookies(false))
      expect([signIn.isSignedIn(before, 'setup'), signIn.isSignedIn(after, 'setup')]).toEqual([false, true])
      at.nowMs -= 60 * minuteMs
      expect(signIn.isSignedIn(cookieOf(signIn.cookies(false)), 'setup')).toBe(true)
    }
  })

  test('lasts no longer for a clock that is set back', () => {
    const { signIn, at } = stage()
    const cookie = cookieOf(signIn.cookies(false))
    at.nowMs -= 1000 // As each clock is, now and then.
    expect(signIn.isSignedIn(cookie, 'setup')).toBe(true)
    at.nowMs -= 60 * minuteMs
    expect(signIn.isSignedIn(cookie, 'setup')).toBe(false)
  })

  test('is nothing that somebody else could make', () => {
    const { signIn } = stage()
    const [cookie] = signIn.cookies(false)
    const [, until, signature] = /=(\d+)\.([^;]+)/.exec(cookie!)!
    for (const value of ['', `${until}.`, `${Number(until) + 1}.${signature}`, `${until}.${'A'.repeat(43)}`])
      expect(signIn.isSignedIn(`mathesar_setup_owner=${value}`, 'setup'), value).toBe(false)
    expect(signIn.isSignedIn(undefined, 'setup')).toBe(false)
    expect(signIn.isSignedIn(`x_mathesar_setup_owner=${until}.${signature}`, 'setup')).toBe(false)
    expect(signIn.isSignedIn(`mathesar_setup_owner=${until}.${signature}`, 'setup')).toBe(true)
  })
})

describe('a form', () => {
  const host = 'nas.local:8000'
  test.each<[boolean, Readonly<Record<string, string>>]>([
    [true, { host, origin: 'http://nas.local:8000' }],
    [true, { host: 'NAS.local', origin: 'https://nas.local' }],
    [true, { host: '[::1]:8000', origin: 'http://[::1]:8000' }],
    [true, { host, 'sec-fetch-site': 'same-origin', origin: 'https://outside.example' }],
    [false, { host, 'sec-fetch-site': 'cross-site', origin: 'http://nas.local:8000' }],
    [false, { host, 'sec-fetch-site': 'same-site' }],
    [false, { host, 'sec-fetch-site': 'none' }],
    [false, { host, origin: 'http://nas.local' }],
    [false, { host, origin: 'http://evil.example' }],
    [false, { host, origin: 'null' }],
    [false, { host }],
  ])('comes from a page of the same address: %s for %j', (isSame, headers) => {
    expect(isSameOrigin({ headers })).toBe(isSame)
  })

  test('are known to every container that has the same SETUP_CODE, and to no other', () => {
    const [one, other, stranger, alone] = ['a code of ours', 'a code of ours', 'another code', undefined].map(
      (given) => stage(given).signIn,
    )
    one!.prove('a code of ours')
    const cookie = cookieOf(one!.cookies(false))
    expect([one, other, stranger, alone].map((owner) => owner!.isSignedIn(cookie, 'setup'))).toEqual([
      true,
      true,
      false,
      false,
    ])
  })
})
