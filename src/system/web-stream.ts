/** A web stream asks for the next chunk before it is done with one, which would be overwritten then. */
async function* copied(bytes: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array> {
  for await (const chunk of bytes) yield new Uint8Array(chunk)
}

/** Bytes as a stream of the web. */
export const asWebStream = (bytes: AsyncIterable<Buffer>): ReadableStream<Uint8Array> =>
  ReadableStream.from(copied(bytes))

/** A stream of the web as buffers. */
export async function* asBuffers(bytes: ReadableStream<Uint8Array>): AsyncGenerator<Buffer> {
  for await (const { buffer, byteOffset, byteLength } of bytes)
    yield Buffer.from(buffer, byteOffset, byteLength)
}
