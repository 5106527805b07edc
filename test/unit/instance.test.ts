import { describe, expect, test } from 'vitest'
import type { Instance } from '../../src/daemon/instance.ts'
import type { InstanceEvent } from '../../src/daemon/events.ts'
import { SupervisorError } from '../../src/errors.ts'
import { unitsUpTo } from '../../src/units/index.ts'
import { failureOf } from './failure.ts'
import { settle } from './fakes/clock.ts'
import { errorWith } from './fakes/files.ts'
import { createImage } from './fakes/image.ts'
import { serverError } from './fakes/postgres.ts'
import { externalDatabase, placeOf } from './fakes/scope.ts'

const booted = async (...options: Parameters<typeof createImage>) => {
  const at = createImage(...options)
  await at.boot()
  expect(at.instance.isReady).toBe(true)
  return at
}

describe('a boot', () => {
  test('brings every unit up, and tells once that all is ready', async () => {
    const at = createImage()
    const events: InstanceEvent['type'][] = []
    at.instance.subscribe(({ type }) => void events.push(type))
    await at.boot()
    const { phase, ready, units, problems, boot } = at.instance.status()
    expect([phase, ready, problems, at.failures]).toEqual(['running', true, [], []])
    const ofDoor = ['administrator', 'certificate', 'door-config', 'door']
    const withoutDoor = units.filter(({ name }) => !ofDoor.includes(name))
    expect(withoutDoor.map(({ state }) => state)).toEqual(
      withoutDoor.map(({ kind }) => (kind === 'task' ? 'done' : 'ready')),
    )
    expect(events.filter((type) => type === 'ready')).toHaveLength(1)
    expect(boot.readyAfterMs).toBeLessThan(1000)
    expect(boot.criticalPath.at(-1)!.unit).toBe('mathesar')
  })

  test('starts Mathesar beside the database, and has it serve only after the migrations', async () => {
    const at = createImage()
    const { promise: migrated, resolve: finish } = Promise.withResolvers<void>()
    const program = at.replies.program
    at.replies.program = async (...asked) => {
      if (asked[0].unit === 'migrations') await migrated
      return await program(...asked)
    }
    await at.boot()
    expect([at.running('mathesar').length, at.processes.gates[0]!.isOpen]).toEqual([1, false])
    expect([at.stateOf('migrations'), at.stateOf('mathesar'), at.instance.isReady]).toEqual([
      'running',
      'starting',
      false,
    ])
    finish()
    await at.clock.advance(1000)
    expect([at.processes.gates[0]!.isOpen, at.instance.isReady]).toEqual([true, true])
  })

  test('leaves out what an external database makes needless', async () => {
    const { running, instance } = await booted({ config: externalDatabase })
    expect(running('postgres')).toEqual([])
    const skipped = instance.status().units.filter(({ state }) => state === 'skipped')
    const names = skipped.flatMap(({ name, detail }) => (detail === 'the database is external' ? [name] : []))
    expect(names).toEqual(['cluster', 'server-config', 'sync', 'postgres', 'proof', 'collations', 'manifest'])
  })

  test('runs a task again that failed for a reason that passes by itself', async () => {
    const at = createImage()
    let attempts = 0
    at.database.refuseWith(({ user }) =>
      user === 'postgres' && attempts++ < 2 ? errorWith('ECONNRESET') : undefined,
    )
    await at.boot()
    expect(at.instance.isReady).toBe(true)
    expect(at.said.filter((line) => line.startsWith('warn database is run again'))).toHaveLength(2)
  })

  test('says meanwhile in the status why a task is run again, or what it waits for', async () => {
    const reset = createImage()
    reset.database.refuseWith(({ user }) => (user === 'postgres' ? errorWith('ECONNRESET') : undefined))
    await reset.boot()
    const away = createImage({ config: externalDatabase })
    away.database.refuseWith(() => errorWith('ECONNREFUSED'))
    await away.boot()
    for (const [{ instance }, code, message] of [
      [reset, 'DATABASE_LOST', 'is run again: cannot go on without the database'],
      [away, 'DATABASE_UNREACHABLE', 'waits for '],
    ] as const) {
      const [problem, ...others] = instance.status().problems
      expect(problem).toMatchObject({ unit: 'database', code })
      expect(problem?.message).toContain(message)
      expect(others).toEqual([])
      await instance.stop()
      expect(instance.status().problems).toEqual([])
    }
  })

  test('ends with the failure of a task, once everything is down', async () => {
    const at = createImage()
    at.database.answerWith(() => serverError('42501', 'permission denied'))
    await at.boot()
    expect(await at.instance.ended).toMatchObject({ code: 'CLUSTER_UNUSABLE' })
    expect([at.processes.alive, at.stateOf('database'), at.clock.armed]).toEqual([[], 'failed', 0])
    expect(at.instance.status().problems[0]).toMatchObject({ unit: 'database', code: 'CLUSTER_UNUSABLE' })
  })

  test('that is stopped starts nothing more, and is no failure', async () => {
    const at = createImage()
    at.replies.program = () => new Promise(() => {})
    void at.instance.start()
    await at.clock.advance(10)
    void at.instance.stop()
    await at.clock.advance(10)
    expect([await at.instance.ended, at.stateOf('migrations')]).toEqual([undefined, 'waiting'])
    expect(at.processes.alive).toEqual([])
  })

  test('up to a unit stops again, cleanly', async () => {
    const at = createImage({ units: unitsUpTo('migrations'), whenUp: async () => {} })
    await at.boot()
    expect([await at.instance.ended, at.processes.started.length, at.processes.alive]).toEqual([
      undefined,
      1,
      [],
    ])
  })
})

describe('a service that dies again and again', () => {
  const dies = (
    options: Parameters<typeof createImage>[0],
    says = 'ImportError: no module named mathesar',
  ) => {
    const at = createImage(options)
    const onStart = at.processes.onStart
    onStart((process) => {
      process.write(`${says}\n`)
      process.exit({ code: 3 })
    })
    return at
  }

  test('ends everything with its last lines', async () => {
    const at = dies({ config: externalDatabase })
    void at.instance.start()
    await at.clock.advance(120_000)
    const failure = await at.instance.ended
    expect(failure).toMatchObject({ code: 'SERVICE_CRASH_LOOP' })
    const [first, ...last] = failure!.message.split('\n')
    expect(first).toBe('mathesar died 8 times in a row: it failed with exit code 3; its last lines:')
    expect(last.map((line) => line.includes('ImportError'))).toEqual(Array<boolean>(8).fill(true))
    expect(at.processes.started).toHaveLength(8)
  })

  test('on a full volume ends everything with what is free', async () => {
    const at = dies({ config: externalDatabase }, 'OSError: [Errno 28] No space left on device')
    at.disk.setFree({ bytes: 2 ** 20, inodes: 7 })
    void at.instance.start()
    await at.clock.advance(120_000)
    const failure = await at.instance.ended
    expect(failure).toMatchObject({ code: 'VOLUME_FULL' })
    expect(failure!.message).toContain('with exit code 3 (1.0 MiB are free); its last lines:')
  })

  test('ends a boot sooner when there are other settings to go back to', async () => {
    const at = dies({ config: externalDatabase, isUnproven: true })
    void at.instance.start()
    await at.clock.advance(120_000)
    expect(await at.instance.ended).toMatchObject({ code: 'SERVICE_CRASH_LOOP' })
    expect(at.processes.started).toHaveLength(3)
  })

  test('is a problem in the status while it is tried again', async () => {
    const { processes, running, instance, clock } = await booted()
    processes.onStart((process) => process.exit({ code: 3 }))
    running('mathesar')[0]!.exit({ signal: 'SIGKILL' })
    await clock.advance(50)
    expect([instance.isReady, instance.status().ready]).toEqual([false, false])
    expect(instance.status().problems).toEqual([
      expect.objectContaining({
        unit: 'mathesar',
        message: expect.stringMatching(/^is backoff: was killed/),
      }),
    ])
  })
})

describe('a stop', () => {
  test('stops Mathesar first and Postgres last, and is clean', async () => {
    const { instance, processes, running, clock } = await booted()
    const [postgres, mathesar] = [running('postgres')[0]!, running('mathesar')[0]!]
    processes.onSignal(() => {})
    void instance.stop()
    await clock.advance(1000)
    expect([mathesar.heard, postgres.heard]).toEqual([['SIGTERM'], []])
    mathesar.exit({ code: 0 })
    await clock.advance(10)
    expect([instance.status().phase, postgres.heard]).toEqual(['stopping', ['SIGINT']])
  })

  test('ends without a fault and without a timer', async () => {
    const { instance, processes, clock } = await booted()
    await instance.stop()
    expect([await instance.ended, instance.status().phase, processes.alive, clock.armed]).toEqual([
      undefined,
      'ended',
      [],
      0,
    ])
    await instance.stop()
  })

  test('that Postgres had no time for is not clean', async () => {
    const { instance, processes, clock } = await booted()
    processes.onSignal((process, signal) => {
      if (signal === 'SIGTERM') process.exit({ code: 0 })
    })
    void instance.stop()
    await clock.advance(4000)
    expect(await instance.ended).toMatchObject({
      code: 'STOP_NOT_CLEAN',
      message: expect.stringMatching(
        /^postgres did not shut down cleanly: its data has to be recovered \(it was killed/,
      ),
    })
  })

  test('by force ends Mathesar first, and Postgres when that is gone', async () => {
    const { instance, processes, running } = await booted()
    const [postgres, mathesar] = [running('postgres')[0]!, running('mathesar')[0]!]
    processes.onSignal(() => {})
    void instance.stop()
    instance.forceStop()
    expect([mathesar.heard.at(-1), postgres.heard]).toEqual(['group SIGKILL', []])
    await settle()
    instance.forceStop()
    expect(postgres.heard).toEqual(['SIGINT', 'SIGQUIT'])
  })

  test('with DRAIN_DELAY serves on first, not ready any more, then closes the port and stops', async () => {
    const { instance, processes, running, clock, closed, said } = await booted({
      config: 'DRAIN_DELAY=60\nSTOP_GRACE_PERIOD=10\n', // It is cut to the half.
    })
    const mathesar = running('mathesar')[0]!
    const stopped = instance.drain().then(() => instance.stop())
    await clock.advance(4900)
    expect([instance.isReady, instance.isServing, instance.status().phase]).toEqual([false, true, 'draining'])
    expect([mathesar.heard, closed]).toEqual([[], []])
    expect(said).toContain('info not ready any more, and serves for 5 s, for load balancers to notice')
    await clock.advance(100)
    await stopped
    expect([mathesar.heard, closed.length, processes.alive, clock.armed]).toEqual([['SIGTERM'], 1, [], 0])
  })

  test('serves on while it drains also where the mark for nginx cannot be written', async () => {
    const at = createImage({
      config: 'DRAIN_DELAY=5\n',
      place: { paths: { ...placeOf().paths, nginx: '/usr/sbin/nginx' } },
    })
    at.processes.onSignal((process) => process.exit({ code: 0 }))
    await at.boot()
    expect(at.instance.isReady).toBe(true)
    at.disk.failOn((act, path) =>
      act === 'writeWhole' && path.endsWith('/draining') ? errorWith('ENOSPC') : undefined,
    )
    const drained = at.instance.drain()
    await at.clock.advance(4900)
    expect([at.closed, at.failures.length]).toEqual([[], 1])
    await at.clock.advance(100)
    await drained
    expect(at.closed).toHaveLength(1)
    await at.instance.stop()
  })

  test.each<[string, (instance: Instance) => void]>([
    ['whoever asks again', (instance) => instance.forceStop()],
    ['a failure', (instance) => instance.fail(new SupervisorError('INTERNAL', 'a fault'))],
  ])('that drains is cut short by %s, and is clean', async (_, cut) => {
    const { instance, running, clock } = await booted({ config: 'DRAIN_DELAY=5\n' })
    const mathesar = running('mathesar')[0]!
    const stopped = instance.drain().then(() => instance.stop())
    cut(instance)
    await clock.advance(10)
    await stopped
    expect([mathesar.heard, clock.armed]).toEqual([['SIGTERM'], 0])
  })

  test('drains nothing that never became ready', async () => {
    const { instance, replies, clock } = createImage({ config: 'DRAIN_DELAY=5\n' })
    replies.program = () => new Promise(() => {})
    void instance.start()
    await clock.advance(1000)
    await instance.drain()
    expect(instance.status().phase).toBe('booting')
    await instance.stop()
  })

  test('for a failure ends with the first one, and the log has the others', async () => {
    const { instance, said } = await booted()
    const [first, second] = [
      new SupervisorError('INTERNAL', 'the first'),
      new SupervisorError('INTERNAL', 'the second'),
    ]
    for (const error of [first, second, first]) instance.fail(error)
    expect(await instance.ended).toBe(first)
    const logged = (): readonly string[] => said.filter((line) => line.startsWith('error '))
    expect(logged()).toEqual([expect.stringContaining('the second')])
    instance.fail(new SupervisorError('INTERNAL', 'of the page that stays'))
    expect(logged().at(-1)).toContain('of the page that stays')
  })
})

describe('a service that a person controls', () => {
  test('is stopped, started and restarted', async () => {
    const { instance, running, clock, stateOf } = await booted()
    const [first] = running('mathesar')
    expect(await instance.control('stop', 'mathesar')).toBe('stopped')
    expect([running('mathesar'), instance.isReady]).toEqual([[], false])
    expect(instance.status().problems[0]).toMatchObject({ hint: 'Type `supervisor start mathesar`.' })
    const started = instance.control('start', 'mathesar')
    await clock.advance(100)
    expect([await started, stateOf('mathesar')]).toEqual(['ready', 'ready'])
    const restarted = instance.control('restart', 'mathesar')
    await clock.advance(100)
    expect(await restarted).toBe('ready')
    expect(running('mathesar')[0]!.pid).toBeGreaterThan(first!.pid + 1)
  })

  test.each([
    [
      'start',
      'nobody',
      'UNIT_UNKNOWN',
      'cannot find a service named nobody: there is door, postgres, mathesar',
    ],
    [
      'stop',
      'volume',
      'UNIT_UNKNOWN',
      'cannot find a service named volume: there is door, postgres, mathesar',
    ],
    ['start', 'postgres', 'USAGE', 'cannot start postgres: the database is external'],
  ] as const)('is refused: %s %s', async (action, name, code, message) => {
    const { instance } = await booted({ config: externalDatabase })
    expect(await failureOf(() => instance.control(action, name))).toMatchObject({ code, message })
  })

  test('has to wait for the boot', async () => {
    const { instance } = createImage()
    expect(await failureOf(() => instance.control('stop', 'mathesar'))).toMatchObject({
      code: 'USAGE',
      message: 'cannot stop mathesar while booting',
    })
  })

  test('hears the signals that are meant for it', async () => {
    const { instance, running } = await booted()
    instance.forward('SIGUSR1')
    instance.forward('SIGPIPE')
    expect([running('mathesar')[0]!.heard, running('postgres')[0]!.heard]).toEqual([['SIGUSR1'], []])
  })

  test('is heard where it writes what its unit watches for', async () => {
    const { instance, running } = await booted()
    const lines: string[] = []
    instance.subscribe((event) => {
      if (event.type === 'line') lines.push(`${event.unit}: ${event.line}`)
    })
    const line = 'ERROR django.security.DisallowedHost: what it says'
    running('mathesar')[0]!.write(`quiet\n${line}\nquiet\n`)
    running('mathesar')[0]!.exit({ code: 0 })
    expect(lines).toEqual([`mathesar: ${line}`])
  })
})
