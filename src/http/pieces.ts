import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'

const pieceBytes = 1024

async function* piecesOf(socket: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const block of socket)
    for (let at = 0; at < block.length; at += pieceBytes) yield block.subarray(at, at + pieceBytes)
}

/**
 * The connection, with what comes in handed on in small pieces. Node's HTTP parser makes requests of all that
 * it gets at once before one of them can be refused: of 64 KiB of requests in a row 1,500,
 * each with its answer.
 */
export const inPieces = (socket: Socket): Duplex => {
  const duplex = Duplex.from({ readable: piecesOf(socket), writable: socket })
  // One that is destroyed fails, and Node has stopped to listen where somebody asks for another protocol.
  for (const stream of [duplex, socket]) stream.on('error', () => {})
  socket.on('timeout', () => duplex.emit('timeout'))
  // A response sets the limit for its being read by this.
  return Object.assign(duplex, { setTimeout: (limitMs: number) => socket.setTimeout(limitMs) })
}
