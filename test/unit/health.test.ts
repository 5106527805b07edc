import { describe, expect, test } from 'vitest'
import { healthOf, type Signs, workInWords } from '../../src/core/health.ts'
import { Progress } from '../../src/daemon/progress.ts'

const nowMs = Date.parse('2026-11-26T12:10:00.000Z')
const ago = (seconds: number): string => new Date(nowMs - seconds * 1000).toISOString()
const migrating = { name: 'migrations', state: 'running', since: ago(600) } as const
const facts = { phase: 'booting', isReady: false, wasReady: false, nowMs } as const
const signsAgo = (seconds: number) => (): Signs => ({ lines: 7, lastMs: nowMs - seconds * 1000 })

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
    ['has just begun', { ...migrating, since: ago(9) }, signsAgo(1)],
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
    const progress = new Progress({ log: { follow }, now: () => nowMs })
    progress.watch(true)
    progress.watch(true)
    write('migrations', 'one\ntwo\n')
    write('migrations', 'three\n')
    expect(progress.signsOf('migrations')).toEqual({ lines: 3, lastMs: nowMs })
    expect([progress.signsOf('postgres'), followers.size]).toEqual([undefined, 1])
    progress.watch(false)
    expect(followers.size).toBe(0)
    progress.watch(true)
    expect(progress.signsOf('migrations')).toBeUndefined()
  })
})
