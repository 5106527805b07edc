import { describe, expect, test } from 'vitest'
import { isFull, spaceInWords } from '../../src/core/space.ts'
import { requireFreeBytes } from '../../src/units/space.ts'
import { createScope } from './fakes/scope.ts'

const MiB = 1024 * 1024

describe('a file system', () => {
  test.each([
    [{ bytes: 0, inodes: 5 }, true, '0.0 MiB are free'],
    [{ bytes: 15 * MiB, inodes: 5 }, true, '15.0 MiB are free'],
    [{ bytes: 16 * MiB, inodes: 5 }, false, '16.0 MiB are free'],
    [{ bytes: 900 * MiB, inodes: 0 }, true, 'no inode is free, though bytes are'],
    [{ bytes: 900 * MiB, inodes: undefined }, false, '900.0 MiB are free'],
  ])('with %j is full: %s, and says "%s"', (space, full, words) => {
    expect([isFull(space), spaceInWords(space)]).toEqual([full, words])
  })
})

describe('room for something large', () => {
  test.each([
    [{ bytes: 150 * MiB, inodes: 9 }, undefined],
    [{ bytes: 149 * MiB, inodes: 9 }, 'cannot send: about 150 MiB are needed, and 149.0 MiB are free'],
    [{ bytes: 900 * MiB, inodes: 0 }, 'cannot send: about 150 MiB are needed, and no inode is free, though'],
    [undefined, undefined],
  ])('is asked for in one way: with %j it says %s', (free, why) => {
    const { scope, disk } = createScope()
    disk.setFree(free)
    const act = (): void => requireFreeBytes(scope, '/data', 150 * MiB, { what: 'send', hint: 'Free some.' })
    if (why === undefined) expect(act).not.toThrow()
    else
      expect(act).toThrow(
        expect.objectContaining({
          code: 'VOLUME_FULL',
          message: expect.stringContaining(why),
          hint: 'Free some.',
        }),
      )
  })
})
