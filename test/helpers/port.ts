import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/**
 * Below those that the kernel gives to outgoing connections: one of these could take the port before it is
 * used.
 */
const halves = [5120, 16_384] as const
/** Files run in two processes at a time: each has the odd ports or the even ones to itself. */
const own = Number(process.env.VITEST_POOL_ID ?? 0) % 2

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer()
      .once('error', () => resolve(false))
      .listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })

/** A port on the loopback that nobody listens on. */
export const freePort = async (): Promise<number> => {
  for (;;) {
    const port = 2 * randomInt(...halves) + own
    if (await isFree(port)) return port
  }
}
