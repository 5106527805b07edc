import { describe, expect, test } from 'vitest'
import { Service } from '../../src/daemon/service.ts'
import { restartsOf } from '../../src/daemon/service-record.ts'
import type { Policy } from '../../src/core/unit.ts'
import type { ServiceUnit } from '../../src/units/unit.ts'
import { failureOf } from './failure.ts'
import { settle } from './fakes/clock.ts'
import { createScope, never } from './fakes/scope.ts'

const policy: Policy = {
  startLimitMs: 300_000,
  graceMs: 60_000,
  shutdownMs: 4000,
  retireMs: 90_000,
  stableMs: 30_000,
  giveUpAfter: 3,
  backoff: { baseMs: 100, maxMs: 10_000 },
  stopSignal: 'SIGINT',
}

/**
 * A service of processes that hear every signal, and exit by SIGKILL alone. Its probe never answers, unless a
 * test says what.
 */
const stage = (more: Partial<ServiceUnit> = {}) => {
  const fake = createScope()
  const told = { changes: 0, giveUps: 0 }
  let probe = (_signal: AbortSignal): Promise<string | undefined> => new Promise(() => {})
  const unit: ServiceUnit = {
    name: 'mathesar',
    kind: 'service',
    needs: [],
    description: 'hears, stays and never answers',
    policy: () => policy,
    command: async () => ({ argv: ['deaf'], env: {}, fds: [10] }),
    probe: (_, signal) => probe(signal),
    readCheck: (answer) => (answer === 'fit' ? undefined : `it answers ${answer}`),
    ...more,
  }
  const service = new Service(unit, {
    system: fake.system,
    scope: () => fake.scope,
    output: () => fake.system.log.lines('mathesar'),
    areDependenciesUp: () => true,
    onChange: () => void told.changes++,
    onGiveUp: () => void told.giveUps++,
  })
  return {
    ...fake,
    service,
    told,
    answerProbes: (act: () => string | undefined): void => {
      probe = async () => act()
    },
  }
}
const gated = { servesAfter: ['migrations'] } as const

/** The same, started and ready. */
const stageReady = async (more: Partial<ServiceUnit> = {}) => {
  const at = stage(more)
  at.answerProbes(() => undefined)
  at.service.start()
  at.service.open()
  await settle()
  expect(at.service.state.name).toBe('ready')
  return at
}

describe('the time until a service that is told to stop is killed', () => {
  test('is long where it alone stops, also when it is told again', async () => {
    const { service, processes, clock } = stage()
    service.start()
    await settle()
    void service.stop()
    await clock.advance(59_000)
    service.restart()
    void service.stop()
    expect(processes.last.heard).toEqual(['SIGINT'])
    await clock.advance(1000)
    expect(processes.last.heard).toEqual(['SIGINT', 'group SIGKILL'])
    expect([service.state.name, processes.started.length, clock.armed]).toEqual(['stopped', 1, 0])
  })

  test('is short where everything stops', async () => {
    const { service, processes, clock } = stage()
    service.start()
    await settle()
    const down = service.shutDown()
    await clock.advance(3999)
    expect(processes.last.heard).toEqual(['SIGINT'])
    await clock.advance(1)
    await down
    expect(service.state.name).toBe('stopped')
  })

  test('becomes short when everything stops meanwhile, also in a restart', async () => {
    const { service, processes, clock } = stage()
    service.start()
    await settle()
    service.restart()
    await clock.advance(20_000)
    void service.shutDown()
    await clock.advance(3999)
    void service.shutDown() // One more wish postpones nothing.
    expect(processes.last.heard).toEqual(['SIGINT'])
    await clock.advance(1)
    expect(processes.last.heard).toContain('group SIGKILL')
    expect([service.state.name, processes.started.length]).toEqual(['stopped', 1])
  })
})

describe('the limit of a start', () => {
  test('does not run while the service may not serve, and runs whole from then on', async () => {
    const { service, processes, clock } = stage(gated)
    service.start()
    await clock.advance(86_400_000)
    expect(service.state).toMatchObject({ name: 'starting', failures: 0 })
    service.open()
    await clock.advance(299_999)
    expect(processes.last.heard).toEqual([])
    await clock.advance(1)
    expect(processes.last.heard).toEqual(['SIGINT'])
    expect(service.state).toMatchObject({ name: 'stopping', failures: 1, next: 'backoff' })
  })

  test('runs from each later start', async () => {
    const { service, processes, clock } = stage(gated)
    service.open()
    service.start()
    await clock.advance(300_000 + 60_000 + 100)
    expect(processes.started.map(({ heard }) => heard)).toEqual([['SIGINT', 'group SIGKILL'], []])
    await clock.advance(299_999)
    expect(processes.last.heard).toEqual([])
    await clock.advance(1)
    expect(processes.last.heard).toEqual(['SIGINT'])
  })
})

describe('a service', () => {
  test('gets the gate behind its own descriptors, and hears when it may serve', async () => {
    const { service, processes } = stage(gated)
    service.start()
    await settle()
    const [gate] = processes.gates
    expect([processes.last.command.fds, gate]).toEqual([
      [10, 82, 83],
      expect.objectContaining({ isReleased: true, isOpen: false, isClosed: false }),
    ])
    service.open()
    expect(gate!.isOpen).toBe(true)
    processes.last.exit({ code: 0 })
    await settle()
    expect(gate!.isClosed).toBe(true)
  })

  test('without a gate gets none', async () => {
    const { service, processes } = stage()
    service.start()
    await settle()
    expect([processes.last.command.fds, processes.gates]).toEqual([[10], []])
  })

  test('is ready when a probe says so, and unready when three in a row do not', async () => {
    const { service, clock, answerProbes, said } = stage()
    let why: string | undefined = 'it is starting'
    answerProbes(() => why)
    service.start()
    await clock.advance(100)
    expect([service.state.name, service.record.lastProbe?.why]).toEqual(['starting', 'it is starting'])
    why = undefined
    await clock.advance(25)
    expect([service.state.name, service.record.lastProbe?.why]).toEqual(['ready', undefined])
    why = 'no answer'
    await clock.advance(30_000 + 2000)
    expect([service.state.name, said.at(-1)]).toEqual(['unready', 'warn mathesar is unready: no answer'])
    why = undefined
    await clock.advance(1000)
    expect(service.state.name).toBe('ready')
  })

  test('that is doubted is probed at once, then at most once a second, and is unready soon', async () => {
    const { service, clock, answerProbes } = await stageReady()
    const probedAt: number[] = []
    let why: string | undefined
    answerProbes(() => {
      probedAt.push(clock.elapsed())
      return why
    })
    const doubtFor = async (ms: number): Promise<void> => {
      for (let spent = 0; spent < ms; spent += 100) {
        service.doubt()
        await clock.advance(100)
      }
    }
    await clock.advance(2000)
    expect(probedAt).toEqual([])
    await doubtFor(3000)
    expect([service.state.name, probedAt]).toEqual(['ready', [2000, 3000, 4000, 5000]])
    why = 'the database is away'
    await doubtFor(3000)
    expect([service.state.name, probedAt.length]).toEqual(['unready', 7])
    void service.stop()
    await clock.advance(60_000)
    expect([service.state.name, clock.armed]).toEqual(['stopped', 0])
  })

  test('is started again after its death, and says why and how often it died', async () => {
    const { service, processes, clock, said, told } = stage()
    service.start()
    await settle()
    const first = processes.last.pid
    processes.last.exit({ code: 3 })
    await clock.advance(99)
    expect([service.pid, said.at(-1)]).toEqual([
      null,
      'warn mathesar is backoff: it failed with exit code 3 (failure 1 of 3)',
    ])
    await clock.advance(1)
    expect(service.pid).toBe(first + 1)
    expect([restartsOf(service.record), service.record.generation, service.record.lastOutcome]).toEqual([
      1,
      2,
      { code: 3, signal: null },
    ])
    expect(told.changes).toBeGreaterThan(0)
  })

  test('gives up when it dies again and again', async () => {
    const { service, processes, clock, told } = stage()
    processes.onStart((process) => process.exit({ code: 1 }))
    service.start()
    await clock.advance(10_000)
    expect([processes.started.length, service.state.name, told.giveUps, clock.armed]).toEqual([
      3,
      'failed',
      1,
      0,
    ])
  })

  test('that cannot be started says why, and tries again', async () => {
    let attempts = 0
    const { service, clock, said, processes, failures } = stage({
      command: async () => {
        if (attempts++ === 0) throw new Error('EAGAIN')
        return { argv: ['deaf'], env: {} }
      },
    })
    service.start()
    await clock.advance(100)
    expect(said).toContain('error cannot start mathesar: EAGAIN')
    expect(said).toContain('warn mathesar is backoff: it could not be started (failure 1 of 3)')
    expect([processes.started.length, service.state.name, failures]).toEqual([1, 'starting', []])
  })

  test('that is stopped while it starts is stopped once its process is there', async () => {
    const spawned = Promise.withResolvers<void>()
    const { service, processes } = stage({
      command: async () => {
        await spawned.promise
        return { argv: ['deaf'], env: {} }
      },
    })
    service.start()
    const stopped = service.stop()
    spawned.resolve()
    await settle()
    expect(processes.last.heard).toEqual(['SIGINT'])
    processes.last.exit({ signal: 'SIGINT' })
    await stopped
    expect([service.state.name, service.isRunning]).toEqual(['stopped', false])
  })

  test('is forced to stop by the signal that it has for that, else by SIGKILL', async () => {
    const gentle = await stageReady({ policy: () => ({ ...policy, forceStopSignal: 'SIGQUIT' }) })
    gentle.service.forceStop()
    expect(gentle.processes.last.heard).toEqual(['SIGQUIT'])
    const other = await stageReady()
    other.service.forceStop()
    expect(other.processes.last.heard).toEqual(['group SIGKILL'])
  })

  test('hands a signal on to the process that serves, and to none when there is none', async () => {
    const { service, processes } = await stageReady()
    service.signal('SIGUSR1')
    expect(processes.last.heard).toEqual(['SIGUSR1'])
    processes.last.exit({ code: 0 })
    await settle()
    service.signal('SIGUSR1')
    expect(processes.last.heard).toEqual(['SIGUSR1'])
  })
})

describe('a candidate', () => {
  test('waits at its gate and checks itself; promoted, it takes over, and the old one finishes', async () => {
    const { service, processes, scope, clock } = await stageReady(gated)
    const [old] = processes.started
    const candidate = await service.prepare(scope)
    const young = processes.last
    expect([service.pid, processes.gates[1]!.isOpen]).toEqual([old!.pid, false])
    processes.answerWith(async () => 'fit')
    await candidate.check(never)
    const retired = candidate.promote()
    await settle()
    expect([service.pid, processes.gates[1]!.isOpen, old!.heard]).toEqual([young.pid, true, ['group SIGINT']])
    await clock.advance(89_999)
    expect(old!.hasExited).toBe(false)
    await clock.advance(1)
    await retired
    expect([
      old!.heard.at(-1),
      service.state.name,
      restartsOf(service.record),
      service.record.generation,
    ]).toEqual(['group SIGKILL', 'ready', 0, 2])
  })

  test.each([
    ['answers what means that it is not', async () => '500', 'it answers 500'],
    ['ends without an answer', async () => undefined, 'the new generation failed with exit code 1'],
  ])('is not fit to serve when it %s', async (_, answer, why) => {
    const { service, processes, scope } = await stageReady(gated)
    const candidate = await service.prepare(scope)
    processes.answerWith(answer)
    if (why.includes('exit code')) processes.last.exit({ code: 1 })
    await expect(candidate.check(never)).rejects.toMatchObject({
      code: 'CONFIG_ROLLED_BACK',
      message: `cannot apply the change: ${why}`,
    })
    await candidate.discard()
    expect([processes.last.hasExited, service.state.name, service.isRunning]).toEqual([true, 'ready', true])
  })

  test('is not fit to serve when it does not answer within two minutes', async () => {
    const { service, processes, scope, clock } = await stageReady(gated)
    const candidate = await service.prepare(scope)
    processes.answerWith(
      (signal) =>
        new Promise((_, reject) =>
          signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
        ),
    )
    const failure = failureOf(() => candidate.check(never))
    await clock.advance(120_000)
    expect((await failure).message).toContain('did not answer within 120 s')
  })

  test('that ended cannot be promoted', async () => {
    const { service, processes, scope } = await stageReady(gated)
    const candidate = await service.prepare(scope)
    processes.last.exit({ code: 1 })
    await settle()
    await expect(candidate.promote()).rejects.toThrow('the new generation has ended')
    expect([service.pid, service.state.name]).toEqual([processes.started[0]!.pid, 'ready'])
  })

  test('waits for the generation that still retires, as long as a stop may take', async () => {
    const { service, processes, scope, clock } = await stageReady(gated)
    void (await service.prepare(scope)).promote()
    const next = service.prepare(scope)
    await clock.advance(59_000)
    expect(processes.started).toHaveLength(2)
    await clock.advance(1000)
    await next
    expect(processes.started).toHaveLength(3)
  })

  test('that retires is killed in the time of a stop, though the clock was set', async () => {
    const { service, processes, scope, clock } = await stageReady(gated)
    void (await service.prepare(scope)).promote()
    await settle()
    clock.jump(24 * 3_600_000)
    const down = service.stop()
    await clock.advance(60_000)
    expect(processes.alive).toEqual([])
    await down
  })

  test('is not started any more while everything stops, and nobody waits for ever', async () => {
    const { service, processes, scope, clock } = await stageReady(gated)
    void (await service.prepare(scope)).promote()
    // It waits for the generation that retires.
    const prepared = service.prepare(scope).catch((error: Error) => error.message)
    await settle()
    processes.onSignal((process, signal) => {
      if (signal === 'SIGINT') process.exit({ code: 0 })
    })
    let isDown = false
    const down = service.shutDown().then(() => (isDown = true))
    await clock.advance(4000)
    expect(await prepared).toContain('everything stops')
    expect([isDown, processes.alive, service.isRunning]).toEqual([true, [], false])
    await down
  })
})
