import { describe, expect, test } from 'vitest'
import { initialState, type ServiceState } from '../../src/core/service-state.ts'
import { Serving } from '../../src/daemon/serving.ts'
import { mathesar } from '../../src/units/mathesar/server.ts'
import { createScope } from './fakes/scope.ts'

const stateOf = (name: Exclude<ServiceState['name'], 'stopping'>, failures = 0): ServiceState => ({
  ...initialState(true),
  name,
  failures,
})

const create = (areDependenciesUp = () => true) => {
  const { scope, system, clock } = createScope()
  const told: boolean[] = []
  const unit = { ...mathesar, onServing: (_: unknown, isServing: boolean) => void told.push(isServing) }
  const serving = new Serving(unit, { system, scope: () => scope, areDependenciesUp, onChange: () => {} })
  return { serving, told, clock }
}

describe('visitors of a service', () => {
  test('are told once that it serves', () => {
    const { serving, told } = create()
    for (const name of ['waiting', 'starting', 'ready', 'ready'] as const) serving.update(stateOf(name))
    expect([told, serving.isServing]).toEqual([[true], true])
  })

  test('are not told of a crash that is over in a moment', async () => {
    const { serving, told, clock } = create()
    serving.update(stateOf('ready'))
    serving.update(stateOf('backoff', 1))
    await clock.advance(2000)
    serving.update(stateOf('ready', 1))
    await clock.advance(60_000)
    expect([told, clock.armed]).toEqual([[true], 0])
  })

  test('are told of one that lasts, whatever it goes through meanwhile', async () => {
    const { serving, told, clock } = create()
    serving.update(stateOf('ready'))
    for (let failures = 1; failures < 5; failures++) {
      serving.update(stateOf('backoff', failures))
      await clock.advance(500)
      serving.update(stateOf('starting', failures))
      await clock.advance(400)
    }
    expect([told, serving.isServing]).toEqual([[true, false], false])
  })

  test('wait longer for one that is stopped on purpose', async () => {
    const { serving, told, clock } = create()
    serving.update(stateOf('ready'))
    serving.update(stateOf('stopped'))
    await clock.advance(29_000)
    expect(told).toEqual([true])
    await clock.advance(1000)
    expect(told).toEqual([true, false])
  })

  test('wait a moment where what it depends on is away, and never meet it', async () => {
    let isThere = true
    const { serving, told, clock } = create(() => isThere)
    const ready = stateOf('ready')
    serving.update(ready)
    isThere = false
    serving.update(ready)
    expect([told, serving.isBackSoon]).toEqual([[true, false], true])
    await clock.advance(2000)
    isThere = true
    serving.update(ready)
    expect([told, serving.isBackSoon, clock.armed]).toEqual([[true, false, true], false, 0])
    isThere = false
    serving.update(ready)
    await clock.advance(2999)
    serving.update(ready) // Nothing makes the moment longer.
    expect(serving.isBackSoon).toBe(true)
    await clock.advance(1)
    expect([serving.isServing, serving.isBackSoon, clock.armed]).toEqual([false, false, 0])
  })

  test('do not wait for one that has failed, or when the container stops', () => {
    const failed = create()
    failed.serving.update(stateOf('ready'))
    failed.serving.update(stateOf('failed', 8))
    expect(failed.told).toEqual([true, false])
    const stopped = create()
    stopped.serving.update(stateOf('ready'))
    stopped.serving.setHidden(true, stateOf('ready'))
    expect([stopped.told, stopped.clock.armed]).toEqual([[true, false], 0])
  })
})
