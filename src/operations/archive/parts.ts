import { MiB } from '../../core/amounts.ts'
import { type Bytes, inPieces, readAhead } from './bytes.ts'
import { damaged, type Entry } from './tar.ts'
import { createCompressor, createDecompressor, type Zstd } from './zstd.ts'

/**
 * A tar says the size of a file before the file, and nobody knows that of a stream: so it goes in parts, each
 * a whole zstd frame. `cat NAME.* | zstd --decompress` is the stream again.
 */
export const pieceBytes = MiB
/** Those of older images are larger. */
const pieceLimitBytes = 4 * MiB
/** How many parts are compressed at a time: each takes a processor, and some memory. */
const atATime = 2

const partName = (name: string, index: number): string => `${name}.${String(index).padStart(6, '0')}`

/**
 * Compresses a stream into the parts `NAME.000000`, `NAME.000001`, … The next piece is read meanwhile, and
 * while whoever takes a part does something with it. A part is overwritten when the next one is asked for.
 */
export async function* partsOf(
  name: string,
  bytes: Bytes,
  onRead: (bytes: number) => void,
): AsyncGenerator<Entry> {
  const pieces = readAhead(inPieces(bytes, pieceBytes, atATime + 2))
  const compressors = Array.from({ length: atATime }, () => createCompressor(pieceBytes))
  const pending: Promise<Buffer>[] = []
  let [begun, made] = [0, 0]
  const take = async (): Promise<Entry> => ({ name: partName(name, made++), data: await pending.shift()! })
  try {
    for await (const piece of pieces) {
      onRead(piece.length)
      if (pending.length === atATime) yield await take()
      const compressing = compressors[begun++ % atATime]!.turn(piece)
      compressing.catch(() => {}) // Each is awaited in its turn.
      pending.push(compressing)
    }
    while (pending.length > 0) yield await take()
  } finally {
    for (const compressor of compressors) compressor.close()
  }
}

/** The stream and number of a part; `undefined` for a file that is not a part. */
export const partIn = (name: string): { readonly stream: string; readonly index: number } | undefined => {
  const [, stream, index] = /^(.+\.zst)\.(\d{6,})$/.exec(name) ?? []
  return stream === undefined ? undefined : { stream, index: Number(index) }
}

/** A stream as zstd has compressed it. */
export async function* packed(parts: AsyncIterable<Entry>): AsyncGenerator<Buffer> {
  for await (const { data } of parts) yield data
}

/** What a part holds, until the next one is opened. */
const openPart = async ({ name, data }: Entry, decompressor: Zstd): Promise<Buffer> => {
  try {
    return await decompressor.turn(data)
  } catch (cause) {
    throw damaged(`${name} was altered`, cause)
  }
}

async function* openEach(parts: AsyncIterable<Entry>): AsyncGenerator<Buffer> {
  // While one opens a part, whoever reads still has the part that the other one opened.
  const decompressors = [createDecompressor(pieceLimitBytes), createDecompressor(pieceLimitBytes)] as const
  let count = 0
  try {
    for await (const part of parts) yield await openPart(part, decompressors[count++ % 2]!)
  } finally {
    for (const each of decompressors) each.close()
  }
}

/** What the parts of a stream hold. A part is opened while whoever reads has the one before. */
export const opened = (parts: AsyncIterable<Entry>): AsyncGenerator<Buffer> => readAhead(openEach(parts))
