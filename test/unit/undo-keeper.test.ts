import { describe, expect, test } from 'vitest'
import type { PastStatus } from '../../src/core/status.ts'
import { UndoKeeper } from '../../src/daemon/undo.ts'
import { errorWith } from './fakes/files.ts'
import { createScope } from './fakes/scope.ts'

const MiB = 1024 * 1024
const base = {
  name: 'base-1.tar.zst',
  endMs: 1000,
  startLsn: '0/1000028',
  startFile: '000000010000000000000001',
}

const stage = (config = 'UNDO_SPACE=256\n', sinceBytes = 0) => {
  const at = createScope({ config })
  const { scope, disk, volume, database } = at
  disk.files.remove(volume.undo)
  database.answerWith((text) => (text.includes('pg_wal_lsn_diff') ? [{ bytes: sinceBytes }] : []))
  const { inForce, results } = scope
  const sleeper = { isAsleep: false }
  let served: PastStatus | null = { at: 'then', until: 'later' }
  const instance = { inForce, isReady: true, isStopping: false, results, sleeper }
  const past = { status: () => served, end: async () => void (served = null) }
  const keeper = new UndoKeeper({
    system: at.system,
    place: scope.place,
    instance,
    program: ['supervisor'],
    past,
  })
  const hasBase = (): void => {
    disk.put(`${volume.undo}/${base.name}`, 'x')
    disk.put(`${volume.undo}/${base.name}.json`, JSON.stringify(base))
    disk.put(`${volume.undo}/names.json`, JSON.stringify({ atMs: at.clock.now(), databases: {}, tables: {} }))
    disk.put(`${volume.cluster}/pg_wal/${base.startFile}`, '')
  }
  keeper.start()
  return { ...at, keeper, hasBase, typed: () => at.programs.map(({ command }) => command.argv.join(' ')) }
}

describe('what an undo needs', () => {
  test('is made by a command of low priority, once it is settled', async () => {
    const { clock, typed, keeper } = stage()
    await clock.advance(20_000)
    expect(typed()).toEqual([])
    await clock.advance(20_000)
    expect(typed()).toEqual(['nice -n 10 supervisor undo --scheduled'])
    expect(keeper.status()).toEqual({ from: null, serves: { at: 'then', until: 'later' } })
  })

  test('that the disk does not give keeps nobody from the rest of the status', () => {
    const { keeper, hasBase, disk } = stage()
    hasBase()
    disk.failOn((act) => (act === 'listFolder' ? errorWith('EIO') : undefined))
    expect(keeper.status()).toMatchObject({ from: null })
  })

  test('is made again at half of the log that is kept, and not before', async () => {
    const [early, due] = [stage('UNDO_SPACE=256\n', 60 * MiB), stage('UNDO_SPACE=256\n', 64 * MiB)]
    for (const { hasBase, clock } of [early, due]) {
      hasBase()
      await clock.advance(100_000)
    }
    expect([early.typed().length > 0, due.typed().length > 0]).toEqual([false, true])
    expect(early.keeper.status()).toMatchObject({ from: '1970-01-01T00:00:01.000Z' })
  })

  test('is given up at once where the volume runs full, and kept again when there is room', async () => {
    const { clock, disk, volume, run, database, hasBase, said, keeper } = stage()
    hasBase()
    disk.setFree({ bytes: 120 * MiB, inodes: 9 })
    await clock.advance(25_000)
    expect(disk.files.isThere(volume.undo)).toBe(false)
    expect(disk.files.readIfThere(`${run.etc}/undo.conf`)).toBe('wal_keep_size = 0\n')
    expect(database.queries.filter((text) => /CHECKPOINT|reload/.test(text))).toEqual([
      'SELECT pg_reload_conf()',
      'CHECKPOINT',
    ])
    expect(said.filter((line) => line.startsWith('warn'))).toHaveLength(1)
    expect(keeper.status()).toEqual({ from: null, serves: null })
    disk.setFree({ bytes: 200 * MiB, inodes: 9 })
    await clock.advance(25_000)
    expect(disk.files.readIfThere(`${run.etc}/undo.conf`)).toBe('wal_keep_size = 0\n')
    disk.setFree({ bytes: 300 * MiB, inodes: 9 })
    await clock.advance(25_000)
    expect(disk.files.readIfThere(`${run.etc}/undo.conf`)).toBe('')
  })

  test('is removed when UNDO_SPACE is 0, and then nothing is asked', async () => {
    const { clock, disk, volume, database, hasBase, typed, keeper } = stage('')
    hasBase()
    await clock.advance(100_000)
    expect(disk.files.isThere(volume.undo)).toBe(false)
    expect([database.queries, typed()]).toEqual([[], []])
    expect(keeper.status()).toBeNull()
  })

  test('that fails is a problem of the status, and tried again ten minutes later', async () => {
    const { clock, replies, keeper, typed } = stage()
    replies.program = async () => ({
      outcome: { code: 90, signal: null },
      lines: ['supervisor: cannot keep a copy of the cluster', '  Raise UNDO_SPACE'],
    })
    await clock.advance(100_000)
    const problem = { message: 'cannot keep a copy of the cluster', hint: 'Raise UNDO_SPACE' }
    expect(keeper.problems()).toEqual([{ unit: 'undo', code: 'UNDO_REFUSED', ...problem }])
    expect(typed()).toHaveLength(1)
    await clock.advance(600_000)
    expect(typed()).toHaveLength(2)
  })
})
