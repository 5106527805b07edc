import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Outcome } from '../../src/core/outcome.ts'
import type { Policy, ServiceUnit } from '../../src/core/unit.ts'
import { createService } from '../../src/daemon/service.ts'

const policy: Policy = {
  startLimitMs: 300_000,
  graceMs: 60_000,
  shutdownMs: 4000,
  stableMs: 30_000,
  giveUpAfter: 8,
  backoff: { baseMs: 100, maxMs: 10_000 },
  stopSignal: 'SIGINT',
}

/** A service whose process hears every signal, and ends by SIGKILL alone. */
const createDeaf = (more: Partial<ServiceUnit<object>> = {}) => {
  const heard: string[] = []
  const service = createService<object>(
    {
      name: 'deaf',
      kind: 'service',
      needs: [],
      does: 'hears, stays and never answers',
      policy: () => policy,
      command: async () => ({ argv: ['deaf'], env: {} }),
      probe: () => new Promise(() => {}),
      ...more,
    },
    {
      context: {},
      start: () => {
        let end: (outcome: Outcome) => void
        const ended = new Promise<Outcome>((resolve) => {
          end = resolve
        })
        return {
          pid: 7,
          ended,
          signal: (signal) => void heard.push(signal),
          signalGroup: (signal) => void heard.push(signal),
          killGroup: () => {
            heard.push('SIGKILL')
            end({ code: null, signal: 'SIGKILL' })
          },
        }
      },
      createGate: () => ({
        fds: [8, 9],
        release: () => {},
        open: () => {},
        close: () => {},
        check: async () => undefined,
      }),
      output: () => ({ write: () => undefined, flush: () => {} }),
      random: () => 0,
      now: Date.now,
      delay: async () => {},
      log: () => {},
      onChange: () => {},
      onGiveUp: () => {},
    },
  )
  return { service, heard }
}

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('the time until a service that is told to stop is killed', () => {
  test('is long where it alone stops, also when it is told again', async () => {
    const { service, heard } = createDeaf()
    service.start()
    await vi.advanceTimersByTimeAsync(0)
    void service.stop()
    await vi.advanceTimersByTimeAsync(59_000)
    service.restart()
    void service.stop()
    expect(heard).toEqual(['SIGINT'])
    await vi.advanceTimersByTimeAsync(1000)
    expect(heard).toEqual(['SIGINT', 'SIGKILL', 'SIGKILL'])
    expect(service.state.name).toBe('stopped')
  })

  test('is short where everything stops', async () => {
    const { service, heard } = createDeaf()
    service.start()
    await vi.advanceTimersByTimeAsync(0)
    const down = service.shutDown()
    await vi.advanceTimersByTimeAsync(3999)
    expect(heard).toEqual(['SIGINT'])
    await vi.advanceTimersByTimeAsync(1)
    await down
    expect(service.state.name).toBe('stopped')
  })

  test('becomes short when everything stops meanwhile, also for a service that was to start again', async () => {
    const { service, heard } = createDeaf()
    service.start()
    await vi.advanceTimersByTimeAsync(0)
    service.restart()
    await vi.advanceTimersByTimeAsync(20_000)
    void service.shutDown()
    await vi.advanceTimersByTimeAsync(3999)
    void service.shutDown() // A further wish puts nothing off.
    expect(heard).toEqual(['SIGINT'])
    await vi.advanceTimersByTimeAsync(1)
    expect(heard).toContain('SIGKILL')
    expect(service.state.name).toBe('stopped')
  })
})

describe('the limit of a start', () => {
  test('does not run while the service may not serve, and runs whole from then on', async () => {
    const { service, heard } = createDeaf({ servesAfter: ['others'] })
    service.start()
    await vi.advanceTimersByTimeAsync(86_400_000)
    expect(service.state).toEqual({ name: 'starting', failures: 0 })
    service.open()
    await vi.advanceTimersByTimeAsync(299_999)
    expect(heard).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(heard).toEqual(['SIGINT'])
    expect(service.state).toMatchObject({ name: 'stopping', failures: 1, then: 'backoff' })
  })

  test('runs from each later start', async () => {
    const { service, heard } = createDeaf({ servesAfter: ['others'] })
    service.open()
    service.start()
    await vi.advanceTimersByTimeAsync(299_999)
    expect(heard).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(heard).toEqual(['SIGINT'])
    await vi.advanceTimersByTimeAsync(60_000 + 100 + 299_999)
    expect(heard.filter((signal) => signal === 'SIGINT')).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(heard.filter((signal) => signal === 'SIGINT')).toHaveLength(2)
  })
})
