import { describe, expect, test } from 'vitest'
import { PastKeeper } from '../../src/daemon/past.ts'
import { createScope } from './fakes/scope.ts'

const past = { at: '2026-11-26T10:15:30.500Z', forMs: 3_600_000 }

const stage = (canStart = true) => {
  const at = createScope({})
  const { scope, system, disk, volume } = at
  disk.put(`${volume.past}/postgres/standby.signal`, '')
  at.processes.onSignal((process, signal) => process.exit({ signal }))
  at.database.answerWith(() => (canStart ? [{}] : new Error('connect ECONNREFUSED')))
  const { inForce, results } = scope
  let holds = 0
  const stayAwake = async <T>(act: () => Promise<T>): Promise<T> => {
    holds += 1
    return await act().finally(() => (holds -= 1))
  }
  const instance = { inForce, isReady: true, results, sleeper: { stayAwake } }
  const keeper = new PastKeeper({ system, place: scope.place, instance, whenCleared: async () => {} })
  const told = (): readonly string[] => at.programs.map(({ command }) => command.argv.slice(1).join(' '))
  return { ...at, keeper, told, isHeld: () => holds > 0 }
}

describe('a moment that is served beside', () => {
  test('is told to Mathesar, keeps all awake, and is gone when its time is over', async () => {
    const { keeper, told, clock, disk, volume, processes, isHeld } = stage()
    await keeper.serve(past)
    expect(told()).toEqual(['/etc/past.py add 2026-11-26 10:15 UTC'])
    expect(keeper.status()).toEqual({ at: past.at, until: new Date(clock.now() + past.forMs).toISOString() })
    expect(isHeld()).toBe(true)
    await clock.advance(past.forMs)
    expect(told().slice(1)).toEqual(['/etc/past.py remove'])
    expect([keeper.status(), isHeld(), disk.files.isThere(volume.past)]).toEqual([null, false, false])
    expect(processes.started.map(({ heard }) => heard)).toEqual([['SIGQUIT']])
  })

  test('is ended before, and another one may follow', async () => {
    const { keeper, told, disk, volume } = stage()
    await keeper.serve(past)
    await expect(keeper.serve(past)).rejects.toThrow('one is served already')
    await keeper.end()
    expect([told().length, disk.files.isThere(volume.past)]).toEqual([2, false])
    await expect(keeper.end()).rejects.toThrow('cannot end it: no moment is served')
    await expect(keeper.serve(past)).rejects.toThrow('it is not there')
    disk.put(`${volume.past}/postgres/standby.signal`, '')
    await keeper.serve(past)
  })

  test('is gone when its server ends by itself, before it serves and later', async () => {
    const early = stage(false)
    const why = early.keeper.serve(past).catch((error: Error) => error.message)
    early.processes.last.exit({ code: 1 })
    await early.clock.advance(1000)
    expect(await why).toBe('cannot serve that moment: its Postgres failed with exit code 1')
    const late = stage()
    await late.keeper.serve(past)
    late.processes.last.exit({ code: 1 })
    await late.clock.advance(0)
    expect(late.said).toContain('warn cannot serve that moment: its Postgres failed with exit code 1')
    for (const { keeper, told, disk, volume } of [early, late]) {
      expect([keeper.status(), disk.files.isThere(volume.past)]).toEqual([null, false])
      expect(told().at(-1)).toBe('/etc/past.py remove')
    }
  })

  test('is left to the next start when everything stops', async () => {
    const { keeper, told, disk, volume, processes, clock } = stage()
    await keeper.serve(past)
    keeper.stop()
    await clock.advance(0)
    expect(processes.last.heard).toEqual(['SIGQUIT'])
    expect([told().length, disk.files.isThere(volume.past)]).toEqual([1, true])
  })
})
