import { describe, expect, test } from 'vitest'
import { restForMove } from '../../src/daemon/moving.ts'
import { writeMoved } from '../../src/units/moved.ts'
import { undoConfig } from '../../src/units/place.ts'
import { errorWith } from './fakes/files.ts'
import { createImage } from './fakes/image.ts'

const stage = async (keepsLog = true, forMs = 10_000) => {
  const at = createImage()
  await at.boot()
  at.database.answerWith((text) => (text.includes('wal_keep_size') ? [{ keeps: keepsLog }] : []))
  const { system, place } = at.scope
  let starts = 0
  const startOver = (): void => {
    starts += 1
    void at.instance.stop()
  }
  const { promise, resolve } = Promise.withResolvers<void>()
  const changes = { interrupt: (rest: () => Promise<void>) => rest() }
  const rested = restForMove({ system, place, instance: at.instance, changes, startOver }, () => promise)
  rested.catch(() => {})
  await at.clock.advance(forMs)
  const config = (): string | undefined => at.disk.text(undoConfig(place.paths))
  return { ...at, rested, resolve, config, starts: () => starts }
}

describe('a rest for a move', () => {
  test('keeps all log while Postgres stops, and as before once it starts again', async () => {
    const { stateOf, config, processes, resolve, clock, rested, starts } = await stage()
    expect([stateOf('postgres'), config()]).toEqual(['asleep', "wal_keep_size = '1TB'\n"])
    const atStart: (string | undefined)[] = []
    processes.onStart(() => void atStart.push(config()))
    resolve()
    await clock.advance(10)
    expect([atStart, starts()]).toEqual([['', ''], 0])
    rested.catch(() => {})
  })

  test('ends in a start over where the volume was marked meanwhile', async () => {
    const { scope, resolve, clock, rested, starts, running, said } = await stage()
    writeMoved(scope, { at: '2026-11-26T22:45:00.000Z', to: null, isConfirmed: true })
    resolve()
    await clock.advance(2000)
    await rested
    expect([starts(), running('postgres').length]).toEqual([1, 0])
    expect(said).toContain('warn moved on 2026-11-26 22:45 UTC: this container serves no more')
  })

  test('ends in a start over where the disk does not tell', async () => {
    const { resolve, clock, rested, starts, running, disk } = await stage()
    disk.failOn((act, path) =>
      act === 'readIfThere' && path.endsWith('/manifest.json') ? errorWith('EIO') : undefined,
    )
    resolve()
    await clock.advance(2000)
    await rested
    expect([starts(), running('postgres').length]).toEqual([1, 0])
  })

  test('gives up at once where everything stops, also while it waits', async () => {
    for (const keepsLog of [true, false]) {
      const { instance, rested, clock } = await stage(keepsLog, 150)
      void instance.stop()
      await expect(rested).rejects.toThrow('everything stops')
      await clock.advance(5000)
      await instance.ended
    }
  })

  test('stops nothing unless Postgres says that it keeps its log', async () => {
    const { stateOf, rested, config } = await stage(false)
    await expect(rested).rejects.toThrow('cannot have Postgres keep its log')
    expect([stateOf('postgres'), stateOf('mathesar'), config()]).toEqual(['ready', 'ready', ''])
  })
})
