import { describe, expect, test } from 'vitest'
import { createHolding } from '../../src/daemon/holding.ts'
import type { Results } from '../../src/units/results.ts'
import { volume } from '../../src/units/volume.ts'
import { createScope, never } from './fakes/scope.ts'

const cluster = '/data/postgres'
const control = `${cluster}/global/pg_control`

const controlFile = (checkpoint: bigint): Buffer => {
  const bytes = Buffer.alloc(8192)
  bytes.writeUInt32LE(6, 16)
  bytes.writeBigUInt64LE(checkpoint, 40)
  return bytes
}

/** A run that has its volume. `tells`: whether the kernel tells of writes. */
const stage = async (tells: boolean, fileSystem = 'ext4') => {
  const made = createScope()
  const { scope, disk, replies } = made
  replies.mounts = () => new Map([['/data', { point: '/data', root: '/', fileSystem }]])
  disk.put(`${cluster}/PG_VERSION`, '17\n', 0o600, { uid: 101, gid: 102 })
  disk.put(control, controlFile(100n))
  const told = new Set<() => void>()
  replies.whenWritten = (path, act) => {
    if (!tells || path !== control) return undefined
    told.add(act)
    return () => void told.delete(act)
  }
  let inode = '1'
  const files = { ...disk.files, identityOf: (path: string) => ({ ...disk.files.identityOf(path)!, inode }) }
  let looks = 0
  const system = {
    ...scope.system,
    files: {
      ...files,
      statOf: (path: string) => {
        looks++
        return files.statOf(path)
      },
    },
  }
  const running = volume.run(scope, never)
  await made.clock.advance(1000)
  const results: Partial<Results> = { volume: (await running) as Results['volume'] }
  looks = 0
  const holding = createHolding({
    system,
    place: scope.place,
    resultsOf: () => results,
    onLost: ({ message }) => expect.fail(message),
  })
  holding.start?.()
  const marks = () => disk.files.listFolder(cluster).filter((name) => name.includes('checkpoint-'))
  const write = (checkpoint: bigint): void => {
    disk.put(control, controlFile(checkpoint))
    for (const act of told) act()
  }
  return {
    ...made,
    write,
    marks,
    stop: () => void holding.stop(),
    told,
    looks: () => looks,
    swap: () => {
      inode = '2'
    },
  }
}

describe('the hold on a volume', () => {
  test('notes a checkpoint at once where the kernel tells of it, and looks each 5 s', async () => {
    const { clock, write, marks, looks, stop, told } = await stage(true)
    await clock.advance(2000)
    write(900n)
    expect(marks()).toEqual(['supervisor.checkpoint-900'])
    const before = looks()
    await clock.advance(60_000)
    expect(looks() - before).toBe(12)
    stop()
    expect(told.size).toBe(0)
  })

  test('notes two that came at one time of the file system', async () => {
    const { clock, write, marks, stop } = await stage(true)
    await clock.advance(2000)
    write(900n)
    write(901n)
    expect(marks()).toEqual(['supervisor.checkpoint-901'])
    stop()
  })

  test('looks each second where nobody tells', async () => {
    const { clock, write, marks, looks, stop } = await stage(false)
    await clock.advance(60_000)
    expect(looks()).toBeGreaterThan(58)
    write(900n)
    await clock.advance(1000)
    expect(marks()).toEqual(['supervisor.checkpoint-900'])
    stop()
  })

  test('follows another cluster that comes to its place', async () => {
    const { clock, write, marks, swap, stop, told } = await stage(true)
    await clock.advance(2000)
    const [first] = told
    swap()
    await clock.advance(5000)
    expect(told.size).toBe(1)
    expect(told.has(first!)).toBe(false)
    write(900n)
    expect(marks()).toEqual(['supervisor.checkpoint-900'])
    stop()
  })

  test.each([true, false])('beats each 5 s where others wait for that (told: %j)', async (tells) => {
    const { clock, disk, stop } = await stage(tells, 'nfs')
    await clock.advance(2000)
    const beats = new Set<string | undefined>()
    for (let seconds = 0; seconds < 60; seconds++) {
      beats.add(disk.text('/data/.beat'))
      await clock.advance(1000)
    }
    expect(beats.size).toBeGreaterThanOrEqual(12)
    expect(beats.size).toBeLessThanOrEqual(13)
    stop()
  })
})
