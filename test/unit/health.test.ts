import { describe, expect, test } from 'vitest'
import { healthOf, type Signs, workInWords } from '../../src/core/health.ts'
import { Progress } from '../../src/daemon/progress.ts'
import { createImage } from './fakes/image.ts'

const elapsedMs = 700_000
const migrating = { name: 'migrations', state: 'running', forMs: 600_000 } as const
const facts = { phase: 'booting', isReady: false, wasReady: false, elapsedMs } as const
const signsAgo = (seconds: number) => (): Signs => ({ lines: 7, lastMs: elapsedMs - seconds * 1000 })

describe('what works for long', () => {
  test('is busy while it is seen to go on, and live however long it takes', () => {
    const health = healthOf({ ...facts, units: [migrating], signsOf: signsAgo(3) })
    expect(health).toMatchObject({ live: true, ready: false, started: false, busy: true })
    expect(health.work).toEqual([{ unit: 'migrations', forMs: 600_000, lines: 7, lastAgoMs: 3000 }])
    expect(health.work.map(workInWords)).toEqual([
      'migrations works for 600 s, wrote 7 lines, the last 3 s ago',
    ])
  })

  test.each([
    ['has said nothing for long', migrating, signsAgo(61)],
    ['has said nothing at all', migrating, (): undefined => undefined],
    ['has just begun', { ...migrating, forMs: 9000 }, signsAgo(1)],
    ['has failed', { ...migrating, state: 'failed' }, signsAgo(1)],
    ['waits to be started again', { ...migrating, state: 'backoff' }, signsAgo(1)],
  ] as const)('is not called busy when it %s', (_, unit, signsOf) => {
    expect(healthOf({ ...facts, units: [unit], signsOf })).toMatchObject({ live: true, busy: false })
  })

  test('does not matter where all is ready', () => {
    const health = healthOf({
      ...facts,
      isReady: true,
      wasReady: true,
      units: [migrating],
      signsOf: signsAgo(1),
    })
    expect([health.ready, health.busy]).toEqual([true, false])
  })
})

test('how long a unit works is counted by a clock that nobody sets', async () => {
  const at = createImage()
  const { program } = at.replies
  at.replies.program = async (...asked) =>
    await (asked[0].unit === 'migrations' ? new Promise(() => {}) : program(...asked))
  await at.boot()
  const beganMs = at.instance.timeInState('migrations')
  at.clock.jump(-3_600_000)
  await at.clock.advance(600_000)
  at.clock.jump(7_200_000)
  expect(at.instance.timeInState('migrations') - beganMs).toBe(600_000)
})

describe('the signs of work', () => {
  test('are counted while not all is up, and looked for no longer', () => {
    const followers = new Set<(unit: string, text: string) => void>()
    const follow = (follower: (unit: string, text: string) => void) => {
      followers.add(follower)
      return () => followers.delete(follower)
    }
    const write = (unit: string, text: string): void => {
      for (const each of followers) each(unit, text)
    }
    const progress = new Progress({ log: { follow }, elapsed: () => elapsedMs })
    progress.watch(true)
    progress.watch(true)
    write('migrations', 'one\ntwo\n')
    write('migrations', 'three\n')
    expect(progress.signsOf('migrations')).toEqual({ lines: 3, lastMs: elapsedMs })
    expect([progress.signsOf('postgres'), followers.size]).toEqual([undefined, 1])
    progress.watch(false)
    expect(followers.size).toBe(0)
    progress.watch(true)
    expect(progress.signsOf('migrations')).toBeUndefined()
  })
})
