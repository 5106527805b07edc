import { Socket } from 'node:net'

const drainLimitMs = 500
/** How long to wait for a log that nobody reads. */
const looksWhileWaiting = 10

/** Takes what a process writes. */
export type Output = {
  /** The chunk is overwritten afterwards. A promise says that the next one should wait for it. */
  readonly write: (chunk: Buffer) => Promise<void> | undefined
  /** Nothing more will come. */
  readonly flush: () => void
}

/**
 * Reads pipes to their end. All are read into one buffer: each chunk is done with before the next is read.
 */
export class PipeReader {
  readonly #chunk = Buffer.allocUnsafeSlow(64 * 1024)

  /**
   * Reads a pipe. The function that it returns, for when the process is gone, waits for what is still in the
   * pipe, but not forever: a grandchild may hold it open, or nobody read our log.
   */
  read(fd: number, output: Output): () => Promise<void> {
    let waiting: Promise<void> | undefined
    const take = (bytes: number): boolean => {
      waiting = output.write(this.#chunk.subarray(0, bytes))
      void waiting?.then(() => {
        waiting = undefined
        socket.resume()
      })
      return waiting === undefined
    }
    const onread = { buffer: this.#chunk, callback: take }
    const socket = new Socket({ fd, readable: true, writable: false, onread })
    socket.on('error', () => socket.destroy())
    const drained = new Promise<void>((resolve) =>
      socket.once('close', () => {
        output.flush()
        resolve()
      }),
    )
    return async () => {
      let looks = 0
      const limit = setInterval(() => {
        looks++
        if (waiting === undefined || looks === looksWhileWaiting) socket.destroy()
      }, drainLimitMs)
      await drained
      clearInterval(limit)
    }
  }
}
