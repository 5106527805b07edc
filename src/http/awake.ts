import type { Exchange } from './exchange.ts'
import type { ControlOptions } from './server.ts'

/** Wakes what sleeps, and keeps it awake until the client closes the connection: for the commands. */
export const postAwake = async ({ response }: Exchange, { instance }: ControlOptions): Promise<void> =>
  await instance.sleeper.stayAwake(async () => {
    const left = new Promise((resolve) => response.once('close', resolve))
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).write('awake\n')
    await left
  })
