import type { Bytes } from '../archive/bytes.ts'

const blockBytes = 512

/** Takes what a file holds, piece by piece. */
export type Taker = (piece: Buffer) => Promise<void>

/** In a tar of Postgres's: octal, or, of what is larger, a number with its first bit set. */
const sizeIn = (header: Buffer): number =>
  (header[124]! & 0x80) === 0
    ? Number.parseInt(header.toString('latin1', 124, 136), 8) || 0
    : header.readUIntBE(130, 6)

/** A tar, unchanged, some files of which are looked at as they pass. `pick` chooses them by name. */
export async function* pickFrom(
  tar: Bytes,
  pick: (name: string) => Taker | undefined,
): AsyncGenerator<Buffer> {
  const header = Buffer.alloc(blockBytes)
  let [filled, left, padding] = [0, 0, 0]
  let taker: Taker | undefined
  for await (const chunk of tar) {
    for (let at = 0; at < chunk.length;) {
      const from = at
      if (left > 0) {
        const piece = chunk.subarray(at, at + left)
        await taker?.(piece)
        left -= piece.length
        at += piece.length
      } else if (padding > 0) {
        at = Math.min(chunk.length, at + padding)
        padding -= at - from
      } else {
        at += chunk.copy(header, filled, at)
        filled += at - from
        if (filled < blockBytes) continue
        filled = 0
        left = sizeIn(header)
        padding = (blockBytes - (left % blockBytes)) % blockBytes
        taker = left === 0 ? undefined : pick(header.toString('latin1', 0, 100).replace(/\0.*$/s, ''))
      }
    }
    yield chunk
  }
}
