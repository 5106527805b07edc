import type { Exchange } from './exchange.ts'
import type { ControlOptions } from './server.ts'

/** Stops Mathesar and Postgres until the client closes the connection: for `supervisor send`. */
export const postRest = async ({ response }: Exchange, { rest }: ControlOptions): Promise<void> => {
  const left = new Promise<void>((resolve) => response.once('close', resolve))
  await rest(async () => {
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).write('at rest\n')
    await left
  })
}
