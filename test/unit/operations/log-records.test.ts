import { describe, expect, test } from 'vitest'
import { LogRecords } from '../../../src/operations/undo/log-records.ts'

const segmentBytes = 16 * 1024 * 1024

/** The first page of a file, of which only the form is of interest. */
const readPage = (magic: number): void => {
  const page = Buffer.alloc(8192)
  page.writeUInt16LE(magic, 0)
  page.writeUInt16LE(2, 2)
  page.writeBigUInt64LE(BigInt(segmentBytes), 8)
  const part = { segmentBytes, fromLsn: segmentBytes, toLsn: segmentBytes + 40 }
  new LogRecords(part, () => {}).take(page, segmentBytes)
}

describe("a page of Postgres's log", () => {
  test.each([
    ['15', 0xd110],
    ['16', 0xd113],
    ['17', 0xd116],
    ['18', 0xd118],
  ])('of version %s is read', (_version, magic) => {
    readPage(magic)
  })

  test('of a version that is not known says so', () => {
    expect(() => readPage(0xd120)).toThrow(
      'cannot read the log of Postgres at 0/1000000: its form (0xd120) is of a version of Postgres that ' +
        'this image does not know',
    )
  })

  test('that is none says so', () => {
    expect(() => readPage(0)).toThrow('at 0/1000000: no page of a known form is there')
  })
})
