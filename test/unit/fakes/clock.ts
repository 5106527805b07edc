import type { Clock } from '../../../src/system/ports.ts'

type Timer = { readonly atMs: number; readonly act: () => void }

/** Lets everything that needs no time happen: promises, and what they start. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Time that passes only when a test says so. */
export const createClock = (startMs = Date.parse('2026-10-01T12:00:00.000Z')) => {
  let nowMs = startMs
  let jumpedMs = 0
  const timers = new Set<Timer>()

  const add = (ms: number, act: () => void): (() => void) => {
    const timer = { atMs: nowMs + ms, act }
    timers.add(timer)
    return () => void timers.delete(timer)
  }
  const nextBefore = (endMs: number): Timer | undefined =>
    [...timers].filter(({ atMs }) => atMs <= endMs).toSorted((a, b) => a.atMs - b.atMs)[0]

  const clock: Clock = {
    now: () => nowMs + jumpedMs,
    elapsed: () => nowMs - startMs,
    after: add,
    delay: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted) return reject(signal.reason as Error)
        const abort = (): void => {
          cancel()
          reject(signal?.reason as Error)
        }
        const cancel = add(ms, () => {
          signal?.removeEventListener('abort', abort)
          resolve()
        })
        signal?.addEventListener('abort', abort, { once: true })
      }),
  }

  return {
    ...clock,
    /** How many timers are armed. */
    get armed() {
      return timers.size
    },
    /** Has the time pass, with everything that is due in it, in its order. */
    advance: async (ms: number): Promise<void> => {
      const endMs = nowMs + ms
      await settle()
      for (let timer = nextBefore(endMs); timer; timer = nextBefore(endMs)) {
        timers.delete(timer)
        nowMs = timer.atMs
        timer.act()
        await settle()
      }
      nowMs = endMs
    },
    /** Sets the clock, as after a sleep of the machine: what is armed is as far away as before. */
    jump: (ms: number): void => {
      jumpedMs += ms
    },
  }
}

export type FakeClock = ReturnType<typeof createClock>
