import { describe, expect, test } from 'vitest'
import { isFull, spaceInWords } from '../../src/core/space.ts'

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
