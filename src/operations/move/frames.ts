import { MiB } from '../../core/amounts.ts'
import { SupervisorError } from '../../errors.ts'
import { type Bytes, Reader } from '../archive/bytes.ts'

/**
 * What goes through the pipe of a move: a line that says what it is, the archive in frames, and an empty one
 * at its end. So the receiver knows that it has all while the pipe is still open, and one more frame can tell
 * it later to keep what it has.
 */
const start = 'mathesar-move-1\n'
const frameLimitBytes = MiB
const lengthBytes = 4
const goAhead = 'keep it'

const headerOf = (length: number): Buffer => {
  const header = Buffer.alloc(lengthBytes)
  header.writeUInt32BE(length)
  return header
}

/** An archive as it goes through the pipe. */
export async function* framesOf(archive: Bytes): AsyncGenerator<Buffer> {
  yield Buffer.from(start)
  for await (const chunk of archive)
    for (let from = 0; from < chunk.length; from += frameLimitBytes) {
      const piece = chunk.subarray(from, from + frameLimitBytes)
      yield headerOf(piece.length)
      yield piece
    }
  yield headerOf(0)
}

/** From then on the receiver has it. */
export const goAheadFrame = (): Buffer => Buffer.concat([headerOf(goAhead.length), Buffer.from(goAhead)])

const cutOff = (): SupervisorError =>
  new SupervisorError('MOVE_FAILED', 'cannot receive: the sender has gone, or was cut off')

const takeWhole = async (reader: Reader, length: number): Promise<Buffer> => {
  const bytes = await reader.take(length)
  if (bytes.length < length) throw cutOff()
  return bytes
}

const takeFrame = async (reader: Reader): Promise<Buffer> => {
  const length = (await takeWhole(reader, lengthBytes)).readUInt32BE()
  if (length > frameLimitBytes)
    throw new SupervisorError('BACKUP_DAMAGED', 'cannot receive: what comes in was altered on its way')
  return await takeWhole(reader, length)
}

type Incoming = {
  readonly archive: Bytes
  /** Resolves once the sender says that it gives up what it has sent. */
  readonly goAhead: () => Promise<void>
}

/** Takes an archive apart from what comes with it. */
export const readFrames = (bytes: Bytes): Incoming => {
  const reader = new Reader(bytes)
  async function* archive(): AsyncGenerator<Buffer> {
    const first = await reader.take(start.length)
    if (first.length === 0) throw cutOff()
    if (first.toString('latin1') !== start)
      throw new SupervisorError('BACKUP_FOREIGN', 'cannot receive: `supervisor send` did not write this', {
        hint: 'An archive is restored: `supervisor restore -`. A terminal (`-t`) changes bytes.',
      })
    for (let frame = await takeFrame(reader); frame.length > 0; frame = await takeFrame(reader)) yield frame
  }
  return {
    archive: archive(),
    goAhead: async () => {
      if ((await takeFrame(reader)).toString('latin1') !== goAhead) throw cutOff()
    },
  }
}
