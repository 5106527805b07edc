import type { Transform } from 'node:stream'
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib'

/** Node's own is 16 KiB: a part would take hundreds of turns. */
const chunkSize = 256 * 1024

/**
 * Turns one buffer after the other into another one, into the same memory. What `zlib` makes for a single
 * buffer keeps megabytes each time, until V8 looks through all that it has.
 */
export class Zstd {
  readonly #stream: Transform & { readonly flush: (kind: number, done: () => void) => void }
  readonly #out: Buffer
  #filled = 0

  constructor(
    stream: ReturnType<typeof createZstdCompress | typeof createZstdDecompress>,
    limitBytes: number,
  ) {
    this.#stream = stream
    this.#out = Buffer.allocUnsafeSlow(limitBytes)
    stream.on('error', () => {}) // Also when nobody waits.
    stream.on('data', (chunk: Buffer) => this.#take(chunk))
  }

  #take(chunk: Buffer): void {
    if (this.#filled + chunk.length > this.#out.length)
      this.#stream.destroy(new Error('it is larger than any part can be'))
    else this.#filled += chunk.copy(this.#out, this.#filled)
  }

  /** What a whole buffer becomes; it is overwritten by the next one. */
  async turn(bytes: Buffer): Promise<Buffer> {
    this.#filled = 0
    const whole = Promise.withResolvers<void>()
    this.#stream.once('error', whole.reject)
    if (bytes.length > 0) this.#stream.write(bytes)
    this.#stream.flush(constants.ZSTD_e_end, whole.resolve)
    try {
      await whole.promise
      while (this.#stream.read() !== null); // What was not handed over yet goes to `#take`.
    } finally {
      this.#stream.off('error', whole.reject)
    }
    if (this.#stream.errored !== null) throw this.#stream.errored
    return this.#out.subarray(0, this.#filled)
  }

  close(): void {
    this.#stream.destroy()
  }
}

/** A backup runs beside people's work: the next levels make 7 % less of it, for twice the CPU. */
const level = 1

/** Makes a frame of each buffer of at most `pieceBytes`. */
export const createCompressor = (pieceBytes: number): Zstd => {
  const params = { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 }
  // zstd adds little to what it cannot compress: one part in 256, and its headers (ZSTD_COMPRESSBOUND).
  return new Zstd(createZstdCompress({ chunkSize, params }), pieceBytes + (pieceBytes >> 8) + 1024)
}

/** Opens frames that hold at most `limitBytes`. */
export const createDecompressor = (limitBytes: number): Zstd =>
  new Zstd(createZstdDecompress({ chunkSize }), limitBytes)
