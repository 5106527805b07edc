/** A stream: whoever reads it decides how fast it goes, so nothing piles up in memory. */
export type Bytes = AsyncIterable<Buffer>

/** Takes a stream in pieces of the length that is asked for. */
export class Reader {
  readonly #source: AsyncIterator<Buffer>
  #rest: Buffer = Buffer.alloc(0)
  #position = 0

  constructor(bytes: Bytes) {
    this.#source = bytes[Symbol.asyncIterator]()
  }

  /** How many bytes were taken. */
  get position(): number {
    return this.#position
  }

  /** The next `length` bytes; fewer where the stream ends before. */
  async take(length: number): Promise<Buffer> {
    const pieces: Buffer[] = []
    for (let missing = length; missing > 0;) {
      if (this.#rest.length === 0) {
        const next = await this.#source.next()
        if (next.done === true) break
        this.#rest = next.value
      }
      const piece = this.#rest.subarray(0, missing)
      this.#rest = this.#rest.subarray(piece.length)
      pieces.push(piece)
      missing -= piece.length
    }
    const taken = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
    this.#position += taken.length
    return taken
  }

  /** Looks at the first bytes, which stay to be taken. */
  async peek(length: number): Promise<Buffer> {
    const seen = await this.take(length)
    this.#position -= seen.length
    this.#rest = Buffer.concat([seen, this.#rest])
    return seen
  }

  /** All that is left. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    if (this.#rest.length > 0) yield this.#rest
    this.#rest = Buffer.alloc(0)
    for (;;) {
      const next = await this.#source.next()
      if (next.done === true) return
      yield next.value
    }
  }

  /** Ends the stream before its end: what writes into it stops. */
  async close(): Promise<void> {
    await this.#source.return?.()
  }
}

/** Cuts a stream into pieces of `length` bytes, the last one shorter. An empty stream is one empty piece. */
export async function* inPieces(bytes: Bytes, length: number): AsyncGenerator<Buffer> {
  const reader = new Reader(bytes)
  try {
    for (let count = 0; ; count++) {
      const piece = await reader.take(length)
      if (piece.length > 0 || count === 0) yield piece
      if (piece.length < length) return
    }
  } finally {
    await reader.close()
  }
}
