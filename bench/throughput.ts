// As many requests as a server takes. A client of a few lines: Node's own would take more of the machine than
// the server.
import { connect, type Socket } from 'node:net'

export type Request = {
  readonly port: number
  readonly path: string
  /** Statuses that are an answer. */
  readonly statuses: readonly number[]
}

/** What is still to come of an answer whose head is there, and how it ends. */
type Left = { readonly status: number; readonly bytes: number; readonly closes: boolean }

const readHead = (head: string, more: number): Left => {
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1]
  const closes = length === undefined || /\r\nconnection: close/i.test(head)
  const bytes = length === undefined ? Number.POSITIVE_INFINITY : Number(length) - more
  return { status: Number(head.slice(9, 12)), bytes, closes }
}

/** A client that keeps its connection as a browser does, and makes a new one where the server closes it. */
class Client {
  readonly #request: Request
  #socket: Socket | undefined

  constructor(request: Request) {
    this.#request = request
  }

  /** Resolves with the status of the answer, once all of it has come. */
  ask(): Promise<number> {
    const { port, path } = this.#request
    const socket = (this.#socket ??= connect(port, '127.0.0.1').setNoDelay())
    return new Promise((resolve, reject) => {
      let left: Left | undefined
      const end = (status: number): void => {
        socket.removeAllListeners()
        if (left?.closes !== false) this.close()
        resolve(status)
      }
      socket
        .on('data', (chunk) => {
          if (left) left = { ...left, bytes: left.bytes - chunk.length }
          else {
            const headEnds = chunk.indexOf('\r\n\r\n') + 4 // A head is in one packet here.
            left = readHead(chunk.toString('latin1', 0, headEnds), chunk.length - headEnds)
          }
          if (left.bytes <= 0) end(left.status)
        })
        .once('error', reject)
        .once('close', () => end(left?.status ?? 0))
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n`)
    })
  }

  close(): void {
    this.#socket?.destroy()
    this.#socket = undefined
  }
}

/** Requests a second of so many clients over so long. */
export const measureThroughput = async (
  request: Request,
  { clients, forMs }: { readonly clients: number; readonly forMs: number },
): Promise<number> => {
  const began = performance.now()
  let answers = 0
  const work = async (): Promise<void> => {
    const client = new Client(request)
    while (performance.now() - began < forMs) {
      const status = await client.ask()
      if (!request.statuses.includes(status)) throw new Error(`GET ${request.path} answers ${status}`)
      answers++
    }
    client.close()
  }
  await Promise.all(Array.from({ length: clients }, work))
  return (answers * 1000) / (performance.now() - began)
}
