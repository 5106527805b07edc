import { describe, expect, test } from 'vitest'
import { Setup } from '../../../src/http/door/setup.ts'

const stage = () => {
  const at = { hasAdministrator: false, asked: 0, done: 0, seen: [] as boolean[], waits: [] as number[] }
  const timers: (() => void)[] = []
  const setup = new Setup({
    signIn: { setOpen: (isOpen) => void at.seen.push(!isOpen) },
    ask: async () => {
      at.asked++
      await Promise.resolve()
      return at.hasAdministrator
    },
    onDone: async () => void at.done++,
    after: (ms, act) => {
      at.waits.push(ms)
      timers.push(act)
      return () => {}
    },
    inBackground: (_, act) => void act(),
  })
  const pass = async (): Promise<void> => {
    timers.shift()?.()
    for (let turn = 0; turn < 5; turn++) await Promise.resolve()
  }
  return { at, setup, pass }
}

describe('whether Mathesar is set up', () => {
  test('is one question to the database, however many ask meanwhile, and a new one after it', async () => {
    const { at, setup } = stage()
    const answers = await Promise.all(Array.from({ length: 100 }, () => setup.isDone()))
    expect([new Set(answers), at.asked]).toEqual([new Set([false]), 1])
    at.hasAdministrator = true
    expect([await setup.isDone(), at.asked, at.seen]).toEqual([true, 2, [false, true]])
  })

  test('is looked at after a form, until somebody has an account or a minute has passed', async () => {
    const { at, setup, pass } = stage()
    setup.expect()
    for (let looks = 0; looks < 20; looks++) await pass()
    expect([at.asked, at.waits.reduce((all, ms) => all + ms) > 60_000]).toEqual([at.waits.length, true])
    const { asked } = at
    setup.expect()
    await pass()
    at.hasAdministrator = true
    for (let looks = 0; looks < 20; looks++) await pass()
    expect([at.asked - asked, at.seen.at(-1)]).toEqual([2, true])
  })

  test('is told once, when it comes true', async () => {
    const { at, setup } = stage()
    await setup.isDone()
    expect(at.done).toBe(0)
    at.hasAdministrator = true
    await setup.isDone()
    await setup.isDone()
    expect(at.done).toBe(1)
  })

  test('is asked again after a failure', async () => {
    const { setup } = stage()
    const failing = new Setup({
      signIn: { setOpen: () => {} },
      ask: () => Promise.reject(new Error('the database is away')),
      onDone: async () => {},
      after: () => () => {},
      inBackground: () => {},
    })
    for (let tries = 0; tries < 2; tries++) await expect(failing.isDone()).rejects.toThrow('is away')
    expect(await setup.isDone()).toBe(false)
  })
})
