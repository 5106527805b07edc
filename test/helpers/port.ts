import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/**
 * Below those that the kernel gives to outgoing connections: one of these could take the port before it is
 * used.
 */
const ports = [10_240, 32_768] as const

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
      .once('error', () => resolve(false))
      .listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })

/** A port on the loopback that nobody listens on. */
export const freePort = async (): Promise<number> => {
  for (;;) {
    const port = randomInt(...ports)
    if (await isFree(port)) return port
  }
}
