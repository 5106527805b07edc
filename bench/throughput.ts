// As many requests as a server takes. A client of a few lines: Node's own would take more of the machine than
// the server.
import { connect } from 'node:net'

export type Request = {
  readonly port: number
  readonly path: string
  /** Statuses that are an answer. */
  readonly statuses: readonly number[]
}

/** One request over a connection of its own, as gunicorn's workers want it. Resolves with its status. */
const once = ({ port, path }: Request): Promise<number> =>
  new Promise((resolve, reject) => {
    let status = 0
    const socket = connect(port, '127.0.0.1', () =>
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n`,
      ),
    )
    socket
      .setNoDelay()
      .on('data', (chunk) => {
        if (status === 0) status = Number(chunk.subarray(9, 12).toString('latin1'))
      })
      .once('error', reject)
      .once('close', () => resolve(status))
  })

/** Requests a second of so many clients over so long. */
export const measureThroughput = async (
  request: Request,
  { clients, forMs }: { readonly clients: number; readonly forMs: number },
): Promise<number> => {
  const began = performance.now()
  let answers = 0
  const work = async (): Promise<void> => {
    while (performance.now() - began < forMs) {
      const status = await once(request)
      if (!request.statuses.includes(status)) throw new Error(`GET ${request.path} answers ${status}`)
      answers++
    }
  }
  await Promise.all(Array.from({ length: clients }, work))
  return (answers * 1000) / (performance.now() - began)
}
