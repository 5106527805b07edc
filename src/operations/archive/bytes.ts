/**
 * A stream: whoever reads it decides how fast it goes, so nothing piles up in memory. A chunk may be
 * overwritten once the next one is asked for.
 */
export type Bytes = AsyncIterable<Buffer>

/** All of a stream as text. A chunk may end within a letter. */
export const textOf = async (bytes: Bytes): Promise<string> => {
  const chunks: Buffer[] = []
  for await (const chunk of bytes) chunks.push(Buffer.from(chunk)) // Its memory is used again.
  return Buffer.concat(chunks).toString()
}

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
    const room = Buffer.allocUnsafe(length)
    let filled = 0
    while (filled < length) {
      if (this.#rest.length === 0) {
        const next = await this.#source.next()
        if (next.done === true) break
        this.#rest = next.value
      }
      const copied = this.#rest.copy(room, filled)
      this.#rest = this.#rest.subarray(copied)
      filled += copied
    }
    const taken = room.subarray(0, filled)
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

  /** All that is left. Whoever stops before its end ends the stream. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    try {
      if (this.#rest.length > 0) yield this.#rest
      this.#rest = Buffer.alloc(0)
      for (;;) {
        const next = await this.#source.next()
        if (next.done === true) return
        yield next.value
      }
    } finally {
      await this.close()
    }
  }

  /** Ends the stream before its end: what writes into it stops. */
  async close(): Promise<void> {
    await this.#source.return?.()
  }
}

/**
 * Cuts a stream into pieces of `length` bytes, the last one shorter. An empty stream is one empty piece. They
 * are written into `count` buffers in turn: a piece is overwritten when so many more are asked for.
 */
export async function* inPieces(bytes: Bytes, length: number, count: number): AsyncGenerator<Buffer> {
  const buffers = Array.from({ length: count }, () => Buffer.allocUnsafeSlow(length))
  let [made, filled] = [0, 0]
  for await (const chunk of bytes) {
    for (let from = 0; from < chunk.length;) {
      const buffer = buffers[made % count]!
      const copied = chunk.copy(buffer, filled, from)
      from += copied
      filled += copied
      if (filled < length) continue
      yield buffer
      made += 1
      filled = 0
    }
  }
  if (filled > 0 || made === 0) yield buffers[made % count]!.subarray(0, filled)
}

/** Asks for the next chunk while the one before is in use: that one must not be overwritten by it yet. */
export async function* readAhead<Chunk>(chunks: AsyncGenerator<Chunk>): AsyncGenerator<Chunk> {
  const ask = (): Promise<IteratorResult<Chunk>> => {
    const asked = chunks.next()
    asked.catch(() => {}) // Each is awaited in its turn.
    return asked
  }
  let next = ask()
  try {
    for (let chunk = await next; chunk.done !== true; chunk = await next) {
      next = ask()
      yield chunk.value
    }
  } finally {
    await chunks.return(undefined)
  }
}
