import type { Exchange } from './exchange.ts'
import type { Parts } from './parts.ts'

type Hold = (act: () => Promise<void>) => Promise<unknown>

/** Holds something as long as the client keeps the connection open: it may leave before that has begun. */
const holdWhileOpen = async ({ response }: Exchange, word: string, hold: Hold): Promise<void> => {
  const left = new Promise<void>((resolve) => response.once('close', resolve))
  await hold(async () => {
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).write(`${word}\n`)
    await left
  })
}

/** Wakes what sleeps, and keeps it awake: for the commands. */
export const postAwake = (exchange: Exchange, { instance }: Pick<Parts, 'instance'>): Promise<void> =>
  holdWhileOpen(exchange, 'awake', (act) => instance.sleeper.stayAwake(act))

/** Stops Mathesar and Postgres: for `supervisor send`. */
export const postRest = (exchange: Exchange, { container }: Pick<Parts, 'container'>): Promise<void> =>
  holdWhileOpen(exchange, 'at rest', container.rest)
