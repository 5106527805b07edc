import { describe, expect, test } from 'vitest'
import {
  beat,
  beatEveryMs,
  findHolder,
  type Holder,
  isCopyOf,
  endHold,
  noteCheckpoint,
  readHolder,
  requireUnheld,
} from '../../../src/units/holder.ts'
import type { Results } from '../../../src/units/results.ts'
import { proof, requireNoCheckpointBetween } from '../../../src/units/postgres/proof.ts'
import { volume } from '../../../src/units/volume.ts'
import { failureOf } from '../failure.ts'
import { createScope, externalDatabase, never } from '../fakes/scope.ts'

const control = '/data/postgres/global/pg_control'

/** A control file, as far as anybody looks at it. */
const controlFile = (isShutDown: boolean, checkpoint: bigint): Buffer => {
  const bytes = Buffer.alloc(8192)
  bytes.writeBigUInt64LE(4711n, 0)
  bytes.writeUInt32LE(isShutDown ? 1 : 6, 16)
  bytes.writeBigUInt64LE(checkpoint, 40)
  return bytes
}

const marksIn = ({ files }: ReturnType<typeof createScope>['disk']): readonly string[] =>
  files.listFolder('/data/postgres').filter((name) => name.startsWith('supervisor.checkpoint-'))

const onFileSystem = (fileSystem: string) => () =>
  new Map([['/data', { point: '/data', root: '/', fileSystem }]])

/** A volume on ext4 on which a run was killed, which had seen a checkpoint. */
const killed = async (options: Parameters<typeof createScope>[0] = {}, fileSystem = 'ext4') => {
  const made = createScope(options)
  made.replies.mounts = onFileSystem(fileSystem)
  made.disk.put('/data/postgres/PG_VERSION', '17\n', 0o600, { uid: 101, gid: 102 })
  made.disk.put(control, controlFile(false, 100n))
  await volume.run(made.scope, never)
  return made
}

const holderOf = async (running: ReturnType<typeof volume.run>): Promise<Holder> =>
  ((await running) as Results['volume']).holder!
const heldAgain = ({ scope }: Awaited<ReturnType<typeof killed>>): Promise<Holder> =>
  holderOf(volume.run(scope, never))

describe('a volume whose last run did not end in order', () => {
  test('is none to be doubted after a kill, whatever Postgres wrote since', async () => {
    const made = await killed()
    made.disk.put(control, controlFile(false, 900n))
    expect(await heldAgain(made)).toMatchObject({ copied: null })
  })

  test('is in use where its lock is taken, and by nobody else where it is not', async () => {
    const made = await killed()
    const { scope, replies } = made
    replies.lock = () => false
    expect(await findHolder(scope)).toMatchObject({ host: 'box' })
    replies.lock = () => true
    expect(await findHolder(scope)).toBeUndefined()
    made.disk.put(control, controlFile(true, 900n))
    endHold(scope, readHolder(scope)!.run)
    replies.lock = () => expect.fail('the next start would find it taken')
    expect(await findHolder(scope)).toBeUndefined()
  })

  test('is a copy where its lock file was made at another time', async () => {
    const made = await killed()
    made.disk.copy()
    const { copied } = await heldAgain(made)
    expect(copied).toMatchObject({ host: 'box', isCheckpointBetween: false })
    made.disk.put(control, controlFile(false, 900n))
    // A boot that was cut off before it was proved: what Postgres did since says nothing of the copy.
    expect((await heldAgain(made)).copied).toEqual(copied)
  })

  test('is torn where a checkpoint came while it was copied, and nothing is started on it', async () => {
    const made = await killed()
    made.disk.copy()
    made.disk.put(control, controlFile(false, 900n))
    const holder = await heldAgain(made)
    const scope = {
      ...made.scope,
      results: { ...made.scope.results, volume: { ...made.scope.results.volume, holder } },
    }
    expect(await failureOf(() => requireNoCheckpointBetween(scope))).toMatchObject({
      code: 'VOLUME_TORN',
      exitCode: 39,
      message: expect.stringContaining(
        'in container box, which ran since 2026-10-01 12:00 UTC), and a checkpoint',
      ),
    })
  })

  test('is taken as it is where ON_TORN says so', async () => {
    const made = await killed({ place: { environment: { ON_TORN: 'serve' } } })
    made.disk.copy()
    made.disk.put(control, controlFile(false, 900n))
    const holder = await heldAgain(made)
    const scope = {
      ...made.scope,
      results: { ...made.scope.results, volume: { ...made.scope.results.volume, holder } },
    }
    requireNoCheckpointBetween(scope)
    await proof.run(scope, never)
    expect(readHolder(scope)).toMatchObject({ copied: null })
    expect(made.said.at(-1)).toContain('it is not proved (ON_TORN)')
  })

  test('is none to be doubted where it has no cluster', async () => {
    const made = await killed({ config: externalDatabase })
    made.disk.files.remove('/data/postgres')
    made.disk.copy()
    expect((await heldAgain(made)).copied).toBe(null)
  })

  test('is no copy to be doubted when it was stopped in order', async () => {
    const made = await killed()
    made.disk.put(control, controlFile(true, 900n))
    endHold(made.scope, readHolder(made.scope)!.run)
    expect(readHolder(made.scope)).toBe(undefined)
    made.disk.copy()
    expect((await heldAgain(made)).copied).toBe(null)
  })
})

describe('two lock files', () => {
  const device = '1'
  const first = { device, inode: '7', born: '100' }
  test.each([
    ['ext4', { inode: '8', born: '200' }, true],
    ['ext4', { inode: '7', born: '200' }, true],
    // A file system that was grown, or a disk that was moved or cloned as a whole.
    ['ext4', { inode: '8', born: '100' }, false],
    ['ext4', { inode: '8', born: null }, true],
    ['ext4', { inode: '7', born: null }, false],
    ['nfs4', { inode: '8', born: null }, true],
    // Numbers, or times, that the client or the server made up.
    ['cifs', { inode: '8', born: '100' }, false],
    ['cifs', { inode: '7', born: '200' }, false],
    ['cifs', { inode: '8', born: '200' }, true],
    ['fuse.grpcfuse', { inode: '8', born: null }, false],
    ['9p', { inode: '8', born: null }, false],
    ['unknown', { inode: '8', born: null }, false],
  ])('on %s: %o is a copy: %s', (fileSystem, second, isCopy) => {
    expect(isCopyOf(first, { device, ...second }, fileSystem)).toBe(isCopy)
  })
})

describe('a file system of which the locks may not reach other machines', () => {
  const kernelFile = '/proc/sys/kernel/random/boot_id'
  const heldElsewhere = () => {
    const made = createScope()
    made.replies.mounts = onFileSystem('cifs')
    made.disk.put(kernelFile, 'this kernel\n')
    made.disk.put(
      '/data/.holder',
      JSON.stringify({
        run: 'another',
        host: 'other',
        kernel: 'another kernel',
        since: '2026-10-01T11:00:00.000Z',
        lock: { device: '1', inode: '/data/.lock', born: '1' },
        checkpoint: null,
        copied: null,
      }),
    )
    made.disk.put('/data/.beat', 'another 1\n')
    return made
  }

  test('keeps a second container out while the first one beats, and names it', async () => {
    const { scope, clock, disk } = heldElsewhere()
    const failure = failureOf(() => requireUnheld(scope))
    clock.after(beatEveryMs + 1, () => disk.put('/data/.beat', 'another 2\n'))
    await clock.advance(3 * beatEveryMs)
    expect(await failure).toMatchObject({
      code: 'VOLUME_IN_USE',
      message: 'cannot use /data: container other uses it, since 2026-10-01 11:00 UTC',
    })
  })

  test('lets it in after some beats where that one was killed', async () => {
    const { scope, clock } = heldElsewhere()
    let isFree = false
    void requireUnheld(scope).then(() => (isFree = true))
    await clock.advance(3 * beatEveryMs)
    expect(isFree).toBe(false)
    await clock.advance(beatEveryMs)
    expect(isFree).toBe(true)
  })

  test('waits, too, where the same kernel has mounted it twice', async () => {
    const { scope, clock, disk } = heldElsewhere()
    const here = disk.text('/data/.holder')!.replace('another kernel', 'this kernel')
    disk.put('/data/.holder', here.replace('"device":"1"', '"device":"2"'))
    let isFree = false
    void requireUnheld(scope).then(() => (isFree = true))
    await clock.advance(3 * beatEveryMs)
    expect(isFree).toBe(false)
  })

  test.each([
    ['on a local disk', { fileSystem: 'ext4', kernel: 'another kernel' }],
    ['where the same kernel has given the lock', { fileSystem: 'cifs', kernel: 'this kernel' }],
  ])('is not waited for %s', async (_, { fileSystem, kernel }) => {
    const { scope, replies, disk } = heldElsewhere()
    replies.mounts = onFileSystem(fileSystem)
    disk.put('/data/.holder', disk.text('/data/.holder')!.replace('another kernel', kernel))
    await requireUnheld(scope)
  })

  test('ends a run that lost it while it was paused, and tells of life until then', async () => {
    const { scope, disk, replies, clock } = createScope()
    replies.mounts = onFileSystem('nfs')
    const running = volume.run(scope, never)
    await clock.advance(1000)
    const { run } = await holderOf(running)
    beat(scope, run, 7)
    expect(disk.text('/data/.beat')).toBe(`${run} 7\n`)
    disk.put('/data/.holder', JSON.stringify({ ...readHolder(scope)!, run: 'another', host: 'other' }))
    expect(() => beat(scope, run, 8)).toThrow('container other uses it')
    expect(disk.text('/data/.beat')).toBe(`${run} 7\n`)
  })

  test('lets one of two in that came at the same moment', async () => {
    const { scope, disk, replies, clock } = createScope()
    replies.mounts = onFileSystem('nfs')
    const failure = failureOf(() => volume.run(scope, never))
    clock.after(500, () =>
      disk.put('/data/.holder', JSON.stringify({ ...readHolder(scope)!, run: 'another', host: 'other' })),
    )
    await clock.advance(1000)
    expect(await failure).toMatchObject({ code: 'VOLUME_IN_USE' })
  })
})

describe('a checkpoint of Postgres', () => {
  test('is noted once its control file was written', async () => {
    const { scope, disk } = await killed()
    const { run } = readHolder(scope)!
    const first = noteCheckpoint(scope, run, undefined)
    expect(noteCheckpoint(scope, run, first)).toBe(first)
    disk.put('/data/postgres/.mr2x-0.tmp', '') // A kill came while it was marked.
    disk.put(control, controlFile(false, 900n))
    expect(noteCheckpoint(scope, run, first).checkpoint).toBe('900')
    expect(marksIn(disk)).toEqual(['supervisor.checkpoint-900'])
    expect(disk.text('/data/postgres/.mr2x-0.tmp')).toBe(undefined)
  })

  test('is marked when Postgres has stopped, so that the next start need not', async () => {
    const { scope, disk } = await killed()
    disk.put(control, controlFile(true, 900n))
    endHold(scope, readHolder(scope)!.run)
    expect(marksIn(disk)).toEqual(['supervisor.checkpoint-900'])
  })

  test('makes a copy torn whose tables came before it, and all that tells of it after', async () => {
    const made = await killed()
    const { scope, disk } = made
    disk.put(control, controlFile(false, 900n))
    noteCheckpoint(scope, readHolder(scope)!.run, undefined)
    // It was none of the names that were read.
    disk.files.remove('/data/postgres/supervisor.checkpoint-900')
    disk.copy()
    expect((await heldAgain(made)).copied).toMatchObject({ isCheckpointBetween: true })
    expect(marksIn(disk)).toEqual([])
  })
})
