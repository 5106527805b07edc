import { describe, expect, test } from 'vitest'
import type { Context } from '../../src/units/place.ts'
import { postgres } from '../../src/units/postgres/server.ts'

/** A control file as it begins: the identifier, two versions and the state. */
const controlFile = (state: number): Buffer => {
  const bytes = Buffer.alloc(8192)
  bytes.writeBigUInt64LE(7_654_321_987_654_321_987n)
  bytes.writeUInt32LE(1300, 8)
  bytes.writeUInt32LE(202_209_061, 12)
  bytes.writeUInt32LE(state, 16)
  return bytes
}

const whyUnclean = (readForeign: () => Buffer): string | undefined =>
  postgres.whyUnclean!({ paths: { data: '/data' }, files: { readForeign } } as unknown as Context)

describe('the end of Postgres', () => {
  test.each([
    ['starting up', 0],
    ['shut down in recovery', 2],
    ['shutting down', 3],
    ['in crash recovery', 4],
    ['in archive recovery', 5],
    ['in production', 6],
  ])('is not clean when its data is %s', (_, state) => {
    expect(whyUnclean(() => controlFile(state))).toBe('its data has to be recovered')
  })

  test('is clean when its data is shut down', () => {
    expect(whyUnclean(() => controlFile(1))).toBeUndefined()
  })

  test('is not clean when nobody can tell', () => {
    expect(
      whyUnclean(() => {
        throw new Error('EIO: i/o error, read')
      }),
    ).toBe('EIO: i/o error, read')
    expect(whyUnclean(() => Buffer.alloc(0))).toBeDefined()
  })
})
