import { describe, expect, test } from 'vitest'
import { VolumeRestores } from '../../src/cli/run/volume-restores.ts'
import type { Command } from '../../src/core/unit.ts'
import type { Outcome } from '../../src/core/outcome.ts'
import type { ProgramResult } from '../../src/system/ports.ts'
import { beginSwap, finishSwap } from '../../src/units/swap.ts'
import { createScope } from './fakes/scope.ts'

const well: Outcome = { code: 0, signal: null }
const badly: Outcome = { code: 82, signal: null }

const stage = (outcome: Outcome, lines: readonly string[], stopsAt = Number.POSITIVE_INFINITY) => {
  const { scope, clock, disk } = createScope()
  const at = { commands: [] as Command[], read: '', starts: 0, faults: [] as unknown[] }
  async function* streamProgram(
    command: Command,
    input?: AsyncIterable<Buffer>,
  ): AsyncGenerator<Buffer, ProgramResult> {
    at.commands.push(command)
    yield* []
    for await (const piece of input ?? []) {
      at.read += piece.toString()
      if (at.read.length >= stopsAt) break
    }
    return { outcome, lines }
  }
  const restores = new VolumeRestores({
    system: {
      ...scope.system,
      streamProgram,
      inBackground: (_: string, act: () => Promise<void> | void) =>
        void Promise.resolve(act()).catch((error: unknown) => at.faults.push(error)),
    },
    place: scope.place,
    startOver: () => void at.starts++,
  })
  return { restores, at, clock, disk, volume: scope }
}
const wish = { passphrase: undefined, mayForget: false }
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('a restore that somebody asked for in the browser', () => {
  test('reads the archive as it comes in, and has the container start over', async () => {
    const { restores, at, clock } = stage(well, ['restored: the state of yesterday'])
    restores.begin({ passphrase: 'open sesame', mayForget: false })
    await restores.take(0, Buffer.from('abc'))
    expect(restores.work).toEqual({ is: 'under way', bytes: 3 })
    await restores.take(3, Buffer.from('de'))
    expect(at.starts).toBe(0)
    restores.end()
    await turn()
    expect(at.starts).toBe(0)
    await clock.advance(3000)
    expect([at.read, at.starts, restores.work]).toEqual([
      'abcde',
      1,
      { is: 'done', told: 'restored: the state of yesterday' },
    ])
    expect(at.commands[0]!.argv.slice(-3)).toEqual(['restore', '-', '--replace'])
    expect(at.commands[0]!.env.BACKUP_PASSPHRASE).toBe('open sesame')
    expect(at.commands[0]!.argv.join(' ')).not.toContain('sesame')
    expect(() => restores.undo()).toThrow(
      expect.objectContaining({
        message: expect.stringContaining('under way'),
        hint: expect.stringMatching(/^Wait/),
      }),
    )
  })

  test('says why it failed, takes nothing more then, and may be tried again', async () => {
    const { restores, at } = stage(
      badly,
      ['supervisor: cannot use this archive: it is cut off', '  A hint.'],
      3,
    )
    restores.begin(wish)
    await restores.take(0, Buffer.from('abc'))
    await turn()
    expect(restores.work).toEqual({ is: 'failed', why: 'cannot use this archive: it is cut off\n  A hint.' })
    await expect(restores.take(3, Buffer.from('d'))).rejects.toThrow('not the next one')
    expect(at.starts).toBe(0)
    restores.begin(wish)
    expect(restores.work).toEqual({ is: 'under way', bytes: 0 })
  })

  test('takes parts in their order alone, one restore at a time', async () => {
    const { restores } = stage(well, [])
    restores.begin(wish)
    expect(() => restores.begin(wish)).toThrow('under way')
    await restores.take(0, Buffer.from('abc'))
    for (const byte of [0, 2, 4])
      await expect(restores.take(byte, Buffer.from('x'))).rejects.toThrow('next one')
    expect(restores.work).toEqual({ is: 'under way', bytes: 3 })
  })

  test('is given up when the browser sends nothing more', async () => {
    const { restores, at, clock } = stage(well, [])
    restores.begin(wish)
    await restores.take(0, Buffer.from('abc'))
    await clock.advance(61_000)
    await turn()
    expect([restores.work, at.starts]).toEqual([
      { is: 'failed', why: 'cannot restore: the browser sent nothing more' },
      0,
    ])
  })

  test('removes the state that is kept where somebody said that it may go, and nowhere else', async () => {
    for (const mayForget of [true, false]) {
      const { restores, at } = stage(well, [])
      restores.fetch('mathesar-2026-09-29T03-30-00Z.tar', { ...wish, mayForget })
      await turn()
      expect(at.commands[0]!.argv.includes('--forget')).toBe(mayForget)
    }
  })

  test('says since when a state is kept', async () => {
    const { restores, disk, volume } = stage(well, [])
    disk.put('/data/postgres/PG_VERSION', '17')
    disk.put('/data/restore/new/postgres/PG_VERSION', '17')
    const at = '2026-11-28T10:15:30.000Z'
    beginSwap(volume, { kind: 'restore', incoming: 'new', outgoing: 'old', kept: [], at })
    expect(restores.keptSince()).toBeUndefined()
    finishSwap(volume)
    expect(restores.keptSince()).toBe(at)
  })

  test('goes back to the state before by the command', async () => {
    const { restores, at, clock } = stage(well, [])
    restores.undo()
    await turn()
    await clock.advance(3000)
    expect([at.commands[0]!.argv.slice(-2), at.starts]).toEqual([['restore', '--undo'], 1])
    expect(restores.keptSince()).toBeUndefined()
  })
})
