import { describe, expect, test } from 'vitest'
import { readMoved, requireNotMoved, writeMoved } from '../../../src/units/moved.ts'
import { cluster } from '../../../src/units/postgres/cluster.ts'
import { failureOf } from '../failure.ts'
import { errorWith } from '../fakes/files.ts'
import { createImage } from '../fakes/image.ts'
import { createScope, never } from '../fakes/scope.ts'

const path = '/data/manifest.json'
const moved = { at: '2026-11-26T22:45:00.000Z', to: 'new-\u001b[31mserver', isConfirmed: false }

describe('the mark of what has moved', () => {
  test('is in the manifest beside all else, and goes again', () => {
    const { scope, disk } = createScope()
    disk.put(path, '{"instance":"a"}')
    writeMoved(scope, moved)
    expect(readMoved(scope)).toEqual(moved)
    expect(JSON.parse(disk.text(path)!)).toEqual({ instance: 'a', moved })
    writeMoved(scope, undefined)
    expect(readMoved(scope)).toBeUndefined()
    expect(JSON.parse(disk.text(path)!)).toEqual({ instance: 'a' })
  })

  test('says where to and when, with nothing that drives a terminal', async () => {
    const { scope } = createScope()
    requireNotMoved(scope)
    writeMoved(scope, moved)
    const { code, message } = await failureOf(() => requireNotMoved(scope))
    expect([code, message]).toEqual([
      'MOVED',
      'cannot serve from /data: it was moved to new-[31mserver on 2026-11-26 22:45 UTC, and the receiver ' +
        'did not confirm it',
    ])
  })

  test('is not missed where the disk does not give it, nor is anything written over it', async () => {
    const { scope, disk } = createScope()
    disk.put(path, JSON.stringify({ instance: 'a', moved }))
    let isBroken = true
    disk.failOn((act) => (isBroken && act === 'readIfThere' ? errorWith('EIO') : undefined))
    expect((await failureOf(() => requireNotMoved(scope))).code).toBe('VOLUME_NOT_WRITABLE')
    expect(() => writeMoved(scope, undefined)).toThrow('EIO')
    isBroken = false
    expect(readMoved(scope)).toEqual(moved)
  })

  test('keeps a change from starting the embedded Postgres', async () => {
    const { scope } = createScope()
    writeMoved(scope, moved)
    expect((await failureOf(() => cluster.run({ ...scope, isBoot: false }, never))).code).toBe('MOVED')
  })

  test('keeps everything from starting', async () => {
    const { scope, boot, running, instance } = createImage()
    writeMoved(scope, { ...moved, isConfirmed: true })
    await boot()
    expect((await instance.ended)?.code).toBe('MOVED')
    expect([running('postgres').length, running('mathesar').length]).toEqual([0, 0])
  })
})
