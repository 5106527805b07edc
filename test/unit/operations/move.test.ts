import { describe, expect, test } from 'vitest'
import { framesOf, goAheadFrame, readFrames } from '../../../src/operations/move/frames.ts'
import { parseLsn, segmentName, segmentOf } from '../../../src/units/postgres/lsn.ts'
import { failureOf } from '../failure.ts'

const MiB = 1024 * 1024

const collect = async (bytes: AsyncIterable<Buffer>): Promise<Buffer> => {
  const pieces: Buffer[] = []
  for await (const piece of bytes) pieces.push(Buffer.from(piece))
  return Buffer.concat(pieces)
}

async function* streamOf(bytes: Buffer, pieceBytes: number): AsyncGenerator<Buffer> {
  for (let from = 0; from < bytes.length; from += pieceBytes) yield bytes.subarray(from, from + pieceBytes)
}

const archive = Buffer.alloc(3 * MiB + 7, Buffer.from(Array.from({ length: 251 }, (_, at) => at)))

describe('what goes through the pipe of a move', () => {
  test('is the archive again, and whether to keep it, however it is cut into pieces', async () => {
    const sent = await collect(framesOf(streamOf(archive, 700_001)))
    for (const pieceBytes of [65_536, 1_000_003, sent.length]) {
      const incoming = readFrames(streamOf(Buffer.concat([sent, goAheadFrame()]), pieceBytes))
      expect((await collect(incoming.archive)).equals(archive)).toBe(true)
      await incoming.goAhead()
    }
  })

  test('is refused wherever it is cut off', async () => {
    const small = archive.subarray(0, 100)
    const sent = Buffer.concat([await collect(framesOf(streamOf(small, 30))), goAheadFrame()])
    for (let length = 0; length < sent.length; length++) {
      const incoming = readFrames(streamOf(sent.subarray(0, length), 17))
      const taken = collect(incoming.archive).then(() => incoming.goAhead())
      expect((await failureOf(() => taken)).code).toMatch(/^(MOVE_FAILED|BACKUP_FOREIGN)$/)
    }
  })

  test('is refused when something else comes in', async () => {
    const { archive: foreign } = readFrames(streamOf(archive, MiB))
    expect(await failureOf(() => collect(foreign))).toMatchObject({ code: 'BACKUP_FOREIGN' })
  })
})

describe('the files of the log', () => {
  const of = (segmentBytes: number) => ({ timeline: 1, first: 0, segmentBytes, parameters: {} }) as const

  test.each([
    ['0/0', 16, '000000010000000000000000'],
    ['0/2000028', 16, '000000010000000000000002'],
    ['0/2FFFFFF', 16, '000000010000000000000002'],
    ['1A/FF000000', 16, '000000010000001A000000FF'],
    ['1B/0', 16, '000000010000001B00000000'],
    ['2/C0000000', 1024, '000000010000000200000003'],
    ['1/500000', 1, '000000010000000100000005'],
  ])('have the place %s in files of %i MiB in the one that Postgres says', (lsn, size, name) => {
    expect(segmentName(segmentOf(parseLsn(lsn), of(size * MiB)), of(size * MiB))).toBe(name)
  })

  test('have the end of a record in the next one, where it is short', () => {
    expect(segmentOf(parseLsn('0/2FFFFF0') + 4096, of(16 * MiB))).toBe(3)
    expect(segmentOf(parseLsn('0/2000028') + 4096, of(16 * MiB))).toBe(2)
  })
})
