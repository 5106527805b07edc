import { describe, expect, test } from 'vitest'
import type { InstanceEvent } from '../../../src/daemon/events.ts'
import { bootMessage, Feed, type FeedParts, type ViewParts } from '../../../src/http/door/feed.ts'
import { createClock } from '../fakes/clock.ts'

const stage = () => {
  const clock = createClock()
  const listeners = new Set<(event: InstanceEvent) => void>()
  let looks = 0
  const parts: FeedParts & ViewParts = {
    instance: {
      isServing: false,
      subscribe: (listener) => {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    },
    report: {
      status: () => {
        looks++
        return { phase: 'booting', units: [], problems: [], boot: { readyAfterMs: null, criticalPath: [] } }
      },
    },
    config: { isNew: false },
    log: { tail: () => [] },
    container: { isKept: () => false, isRestoring: () => false },
    clock,
  }
  const change = (): void => {
    for (const listener of listeners) listener({ type: 'changed' })
  }
  return {
    feed: new Feed({ ...parts, render: () => bootMessage(parts) }),
    clock,
    listeners,
    change,
    looks: () => looks,
  }
}

describe('what open pages are told', () => {
  test('is rendered once for all of them', async () => {
    const { feed, looks, clock } = stage()
    const got = Array.from({ length: 500 }, () => [] as string[])
    for (const messages of got) feed.follow((message) => void messages.push(message))
    expect(looks()).toBe(1)
    await clock.advance(3000)
    expect(looks()).toBe(4)
    for (const messages of got) expect(messages).toHaveLength(4)
  })

  test('is told at most ten times a second', async () => {
    const { feed, looks, clock, change } = stage()
    feed.follow(() => {})
    for (let changes = 0; changes < 100; changes++) {
      change()
      await clock.advance(5)
    }
    expect(looks()).toBeLessThanOrEqual(6)
  })

  test('goes on when the clock is set back', async () => {
    const { feed, clock, change } = stage()
    const got: string[] = []
    feed.follow((message) => void got.push(message))
    clock.jump(-3_600_000)
    change()
    await clock.advance(100)
    expect(got).toHaveLength(2)
    await clock.advance(1000)
    expect(got).toHaveLength(3)
  })

  test('is not looked at when nobody reads', async () => {
    const { feed, looks, clock, listeners, change } = stage()
    const leave = [feed.follow(() => {}), feed.follow(() => {})]
    for (const each of [...leave, ...leave]) each()
    change()
    await clock.advance(5000)
    expect([looks(), clock.armed, listeners.size]).toEqual([1, 0, 0])
  })
})
