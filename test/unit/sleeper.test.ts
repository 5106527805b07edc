import { describe, expect, test } from 'vitest'
import { units } from '../../src/units/index.ts'
import { createImage } from './fakes/image.ts'
import { createScope } from './fakes/scope.ts'

const minuteMs = 60_000
const { paths } = createScope().scope.place
const withoutDoor = units.filter(({ name }) => !['door', 'door-config', 'certificate'].includes(name))

/** Up, and told to sleep after half an hour; visitors are told to the supervisor by the door. */
const stage = async (config = 'SLEEP_AFTER=30m\n', hasDoor = true) => {
  const nginx = hasDoor ? '/usr/sbin/nginx' : undefined
  const at = createImage({ config, units: withoutDoor, place: { paths: { ...paths, nginx } } })
  await at.boot()
  const { instance } = at
  expect(instance.isReady).toBe(true)
  const states = (): readonly (string | undefined)[] => [at.stateOf('postgres'), at.stateOf('mathesar')]
  /** Somebody is connected to Postgres, and asked for something just now. */
  const useAlways = (): void =>
    at.database.answerWith((text) => (text.includes('pg_stat_activity') ? [{ usedMs: at.clock.now() }] : []))
  return { ...at, states, useAlways }
}

describe('a container that nobody comes to', () => {
  test('stops Mathesar and then Postgres, stays ready, and has no timer left', async () => {
    const { instance, clock, states, running } = await stage()
    await clock.advance(29 * minuteMs)
    expect(states()).toEqual(['ready', 'ready'])
    await clock.advance(2 * minuteMs)
    expect(states()).toEqual(['asleep', 'asleep'])
    expect([running('postgres').length, running('mathesar').length]).toEqual([0, 0])
    expect([instance.isReady, instance.isServing, instance.sleeper.isAsleep]).toEqual([true, false, true])
    expect(instance.status().problems).toEqual([])
    const { armed } = clock
    await clock.advance(86_400_000)
    expect([clock.armed, ...states()]).toEqual([armed, 'asleep', 'asleep'])
  })

  test('wakes for the first visitor, serves once Postgres is ready, and sleeps again', async () => {
    const { instance, clock, states, processes, disk } = await stage()
    await clock.advance(31 * minuteMs)
    processes.onStart(() => {}) // Postgres is not ready at once.
    const before = processes.gates.length
    const woken = Promise.all([instance.sleeper.wake(), instance.sleeper.wake()])
    await clock.advance(20_000)
    expect([processes.gates[before]?.isOpen, instance.isReady]).toEqual([false, true])
    disk.put('/data/postgres/postmaster.pid', '1\n\n\n\n\n\n\nready\n')
    await clock.advance(1000)
    await woken
    expect([states(), instance.sleeper.isAsleep, instance.isServing]).toEqual([
      ['ready', 'ready'],
      false,
      true,
    ])
    expect(processes.gates).toHaveLength(before + 1)
    expect(instance.status().units.map(({ restarts }) => restarts)).not.toContain(1)
    await clock.advance(29 * minuteMs)
    expect(states()).toEqual(['ready', 'ready'])
    await clock.advance(2 * minuteMs)
    expect(states()).toEqual(['asleep', 'asleep'])
  })

  test('counts no restart less while it sleeps', async () => {
    const { instance, clock, states, running } = await stage()
    const restarts = (): number | undefined =>
      instance.status().units.find(({ name }) => name === 'mathesar')?.restarts
    running('mathesar')[0]!.exit({ code: 1 })
    await clock.advance(10_000)
    expect(restarts()).toBe(1)
    await clock.advance(31 * minuteMs)
    expect([states(), restarts()]).toEqual([['asleep', 'asleep'], 1])
    const woken = instance.sleeper.wake()
    await clock.advance(2000)
    await woken
    expect([states(), restarts()]).toEqual([['ready', 'ready'], 1])
  })

  test('serves on where somebody comes at the moment at which it would sleep', async () => {
    const { instance, clock, states, said } = await stage()
    let left = 0
    for (; !instance.sleeper.isAsleep && left < 200_000; left += 10) await clock.advance(10_000)
    // Too coarse to see visitors held back: what is looked at is that a wish at any moment is granted.
    const woken = instance.sleeper.wake()
    await clock.advance(2000)
    await woken
    expect([states(), said.filter((line) => line.startsWith('error'))]).toEqual([['ready', 'ready'], []])
  })

  test('stays awake for work in Postgres, for a command, and where a person stopped one', async () => {
    const used = await stage()
    used.useAlways()
    await used.clock.advance(120 * minuteMs)
    expect(used.states()).toEqual(['ready', 'ready'])

    const held = await stage()
    const { promise, resolve } = Promise.withResolvers<void>()
    const work = held.instance.sleeper.stayAwake(() => promise)
    await held.clock.advance(120 * minuteMs)
    expect(held.states()).toEqual(['ready', 'ready'])
    resolve()
    await work
    await held.clock.advance(minuteMs)
    expect(held.states()).toEqual(['asleep', 'asleep'])

    const stopped = await stage()
    await stopped.instance.control('stop', 'mathesar')
    await stopped.clock.advance(120 * minuteMs)
    expect([stopped.states(), stopped.instance.isReady]).toEqual([['ready', 'stopped'], false])
  })

  test('never sleeps unless it is told to, nor where no door would say that somebody comes', async () => {
    for (const at of [await stage(''), await stage('SLEEP_AFTER=30m\n', false)]) {
      await at.clock.advance(120 * minuteMs)
      expect(at.states()).toEqual(['ready', 'ready'])
    }
  })

  test('rests while a move goes on, whoever comes, and serves those who waited', async () => {
    for (const hasDoor of [true, false]) {
      const { instance, clock, states, running } = await stage('', hasDoor)
      const { promise, resolve } = Promise.withResolvers<void>()
      const rested = instance.sleeper.restWhile(() => promise)
      await clock.advance(1000)
      expect([states(), instance.isServing]).toEqual([['asleep', 'asleep'], false])
      let isServed = false
      const visit = instance.sleeper.wake().then(() => (isServed = true))
      await clock.advance(60_000)
      expect([isServed, running('postgres').length]).toEqual([false, 0])
      resolve()
      await clock.advance(2000)
      await Promise.all([rested, visit])
      expect([states(), instance.isServing]).toEqual([['ready', 'ready'], true])
    }
  })

  test('serves on where a move fails, and stops cleanly in the midst of one', async () => {
    const { instance, clock, states, running } = await stage('')
    const failed = instance.sleeper.restWhile(() => Promise.reject(new Error('the receiver is gone')))
    failed.catch(() => {})
    await clock.advance(2000)
    await expect(failed).rejects.toThrow('the receiver is gone')
    expect([states(), instance.isServing]).toEqual([['ready', 'ready'], true])

    const { promise, resolve } = Promise.withResolvers<void>()
    const rested = instance.sleeper.restWhile(() => promise)
    await clock.advance(1000)
    void instance.stop()
    resolve()
    await clock.advance(1000)
    await rested
    expect([await instance.ended, running('postgres').length]).toEqual([undefined, 0])
  })

  test('does not stop for a move what is not ready', async () => {
    const { instance, clock, states } = await stage('')
    const stopped = instance.control('stop', 'mathesar')
    await clock.advance(1000)
    await stopped
    await expect(instance.sleeper.restWhile(async () => {})).rejects.toThrow('not everything is ready')
    expect(states()).toEqual(['ready', 'stopped'])
  })

  test('is awake for whoever controls a service, and stops cleanly asleep', async () => {
    const at = await stage()
    await at.clock.advance(31 * minuteMs)
    const started = at.instance.control('start', 'postgres')
    await at.clock.advance(2000)
    expect([await started, at.states()]).toEqual(['ready', ['ready', 'ready']])
    await at.clock.advance(31 * minuteMs)
    expect(at.states()).toEqual(['asleep', 'asleep'])
    void at.instance.stop()
    await at.clock.advance(100)
    expect(await at.instance.ended).toBeUndefined()
  })
})
