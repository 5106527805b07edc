import { describe, expect, test } from 'vitest'
import { ConsolePort } from '../../../src/http/console/port.ts'
import type { ConsolePlace } from '../../../src/settings/console.ts'
import { createClock } from '../fakes/clock.ts'
import { createEntrance } from './parts.ts'

const minuteMs = 60_000
const code = 'cccc-cccc'

const stage = (place: ConsolePlace) => {
  const at = { nowMs: Date.parse('2026-11-26T12:00:00Z'), setMs: 0, place }
  const entrance = createEntrance(
    () => at.place,
    () => at.nowMs + at.setMs,
    () => at.nowMs,
  )
  const enter = (): string => entrance.signIn.cookies(false)[0]!.split(';')[0]!
  return { at, entrance, enter }
}

describe('the console', () => {
  test('is closed until a command opens it, and again an hour later, for those who are in, too', () => {
    const { at, entrance, enter } = stage('off')
    expect([entrance.isOpen, entrance.signIn.prove(code)]).toEqual([false, { is: 'over' }])
    expect(entrance.open()).toMatchObject({ code })
    expect(entrance.closesMs).toBe(at.nowMs + 60 * minuteMs)
    expect(entrance.signIn.prove(code)).toEqual({ is: 'right' })
    at.nowMs += 59 * minuteMs
    const cookie = enter()
    expect(entrance.signIn.isSignedIn(cookie, 'console')).toBe(true)
    at.nowMs += minuteMs
    expect([entrance.isOpen, entrance.signIn.isSignedIn(cookie, 'console')]).toEqual([false, false])
    entrance.open()
    expect(entrance.signIn.isSignedIn(cookie, 'console')).toBe(false)
  })

  test('closes an hour later, though the clock was set back', () => {
    const { at, entrance } = stage('off')
    entrance.open()
    at.setMs = -24 * 60 * minuteMs
    at.nowMs += 60 * minuteMs
    expect(entrance.isOpen).toBe(false)
  })

  test('stays open where the setting says so, and the setting closes it at once', () => {
    const { at, entrance, enter } = stage('on')
    at.nowMs += 600 * minuteMs
    const cookie = enter()
    expect([entrance.isOpen, entrance.closesMs]).toEqual([true, undefined])
    expect(entrance.signIn.isSignedIn(cookie, 'console')).toBe(true)
    at.place = 'off'
    expect([entrance.isOpen, entrance.signIn.isSignedIn(cookie, 'console')]).toEqual([false, false])
  })

  test('ends every session when somebody logs out, and a code lets in again', () => {
    const { entrance, enter } = stage('on')
    const cookies = [enter(), enter()]
    entrance.close()
    for (const cookie of cookies) expect(entrance.signIn.isSignedIn(cookie, 'console')).toBe(false)
    expect(entrance.signIn.prove(code)).toEqual({ is: 'right' })
    expect(entrance.signIn.isSignedIn(enter(), 'console')).toBe(true)
  })

  test('gives a cookie for its own paths alone', () => {
    const { entrance } = stage('on')
    const [cookie, ...others] = entrance.signIn.cookies(true)
    expect([others, cookie]).toEqual([[], expect.stringMatching(/^mathesar_console_owner=/)])
    expect(cookie).toMatch(/; Path=\/supervisor\/console; HttpOnly; SameSite=Strict; Max-Age=1800; Secure$/)
  })

  test.each([
    ['nas.local', true],
    ['NAS.local:8000', true],
    ['127.0.0.1:9000', true],
    ['evil.example', false],
    ['nas.local.evil.example', false],
    ['', false],
    [undefined, false],
  ])('is opened by the Host %s: %s', (host, isTaken) => {
    expect(stage('on').entrance.takes(host)).toBe(isTaken)
  })
})

describe('a port of the console’s own', () => {
  const place = { host: '0.0.0.0', port: 9000 }
  const portStage = () => {
    const clock = createClock()
    const at = {
      place: 'off' as ConsolePlace,
      open: [] as string[],
      said: [] as string[],
      failure: undefined as Error | undefined,
      attempts: 0,
    }
    const port = new ConsolePort({
      entrance: createEntrance(() => at.place),
      clock,
      log: { say: (_, text) => void at.said.push(text), tail: () => [], follow: () => () => {} },
      listen: async ({ host, port: number }) => {
        at.attempts++
        if (at.failure) throw at.failure
        const name = `${host}:${number}`
        at.open.push(name)
        return { close: () => void at.open.splice(at.open.indexOf(name), 1) }
      },
    })
    return { at, port, clock }
  }

  test('follows the setting, and closes when the answer to the change is out', async () => {
    const { at, port, clock } = portStage()
    await port.follow()
    expect(at.open).toEqual([])
    at.place = place
    await Promise.all([port.follow(), port.follow()])
    expect(at.open).toEqual(['0.0.0.0:9000'])
    at.place = { host: '::1', port: 9001 }
    await port.follow()
    expect(at.open).toEqual(['0.0.0.0:9000', '::1:9001'])
    await clock.advance(2000)
    expect(at.open).toEqual(['::1:9001'])
    at.place = 'on'
    await port.follow()
    await clock.advance(2000)
    expect(at.open).toEqual([])
  })

  test('that is taken is said once, and tried again', async () => {
    const { at, port, clock } = portStage()
    at.place = place
    at.failure = new Error('listen EADDRINUSE: address already in use 0.0.0.0:9000')
    await port.follow()
    await clock.advance(25_000)
    expect(at.said).toEqual([
      expect.stringContaining('cannot open the console on 0.0.0.0:9000: listen EADDRINUSE'),
    ])
    at.failure = undefined
    await clock.advance(10_000)
    expect(at.open).toEqual(['0.0.0.0:9000'])
  })

  test('that is taken is tried again each 10 s, however often it is looked at, until it ends', async () => {
    const { at, port, clock } = portStage()
    at.place = place
    at.failure = new Error('listen EADDRINUSE: address already in use 0.0.0.0:9000')
    for (let looks = 0; looks < 5; looks++) await port.follow()
    await clock.advance(35_000)
    expect(at.attempts).toBe(4)
    port.close()
    await clock.advance(35_000)
    expect(at.attempts).toBe(4)
  })
})
