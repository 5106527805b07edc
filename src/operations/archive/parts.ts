import { promisify } from 'node:util'
import { constants, zstdCompress, zstdDecompress } from 'node:zlib'
import { SupervisorError } from '../../errors.ts'
import { type Bytes, inPieces } from './bytes.ts'
import type { Entry } from './tar.ts'

/**
 * A tar says the size of a file before the file, and nobody knows that of a stream: so it goes in parts, each
 * a whole zstd frame. `cat NAME.* | zstd --decompress` is the stream again.
 */
const pieceBytes = 4 * 1024 * 1024
/** How many parts are compressed at a time: each takes a processor, and some memory. */
const atATime = 2

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)
/** Node's own is 16 KiB: a part would take hundreds of turns. */
const chunkSize = 256 * 1024
const options = {
  chunkSize,
  params: { [constants.ZSTD_c_compressionLevel]: 3, [constants.ZSTD_c_checksumFlag]: 1 },
}

const partName = (name: string, index: number): string => `${name}.${String(index).padStart(6, '0')}`

/**
 * Compresses a stream into the parts `NAME.000000`, `NAME.000001`, … The next piece is read meanwhile, and
 * while whoever takes a part does something with it.
 */
export async function* partsOf(
  name: string,
  bytes: Bytes,
  onRead: (bytes: number) => void,
): AsyncGenerator<Entry> {
  const pieces = inPieces(bytes, pieceBytes, atATime + 1)
  const readNext = (): ReturnType<typeof pieces.next> => {
    const reading = pieces.next()
    reading.catch(() => {}) // Each is awaited in its turn, and so is what is compressed.
    return reading
  }
  const pending: Promise<Buffer>[] = []
  let index = 0
  try {
    let next = readNext()
    for (let piece = await next; piece.done !== true; piece = await next) {
      onRead(piece.value.length)
      const compressing = compress(piece.value, options)
      compressing.catch(() => {})
      pending.push(compressing)
      next = readNext()
      if (pending.length === atATime) yield { name: partName(name, index++), data: await pending.shift()! }
    }
    for (const compressing of pending) yield { name: partName(name, index++), data: await compressing }
  } finally {
    await pieces.return(undefined)
  }
}

/** The stream and number of a part; `undefined` for a file that is not a part. */
export const partIn = (name: string): { readonly stream: string; readonly index: number } | undefined => {
  const [, stream, index] = /^(.+\.zst)\.(\d{6,})$/.exec(name) ?? []
  return stream === undefined ? undefined : { stream, index: Number(index) }
}

/** What a part holds. */
export const openPart = async ({ name, data }: Entry): Promise<Buffer> => {
  try {
    return await decompress(data, { chunkSize, maxOutputLength: pieceBytes })
  } catch (cause) {
    throw new SupervisorError('BACKUP_DAMAGED', `cannot use this archive: ${name} was altered`, { cause })
  }
}
