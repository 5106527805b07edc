import { request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

/** How a request ended: its status, or the code of the error that it failed with. */
export type Outcome = { readonly atMs: number; readonly outcome: number | string; readonly tookMs: number }

const ask = (port: number, path: string, limitMs: number): Promise<number | string> =>
  new Promise((resolve) => {
    const sent = request(
      { host: '127.0.0.1', port, path, agent: false, headers: { accept: 'text/html' } },
      (response) => {
        response.resume().once('end', () => resolve(response.statusCode ?? 0))
        response.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'broken'))
      },
    )
    sent.setTimeout(limitMs, () => sent.destroy(Object.assign(new Error('late'), { code: 'late' })))
    sent.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    sent.end()
  })

/** A client that asks again and again, some milliseconds after it got an answer, until it is stopped. */
export const poll = (port: number, { path = '/auth/login/', everyMs = 20, limitMs = 20_000 } = {}) => {
  const outcomes: Outcome[] = []
  let isOver = false
  const run = async (): Promise<void> => {
    while (!isOver) {
      const atMs = Date.now()
      outcomes.push({ atMs, outcome: await ask(port, path, limitMs), tookMs: Date.now() - atMs })
      await delay(everyMs)
    }
  }
  const ended = run()
  return {
    outcomes,
    /** Ends it; resolves with all outcomes. */
    stop: async (): Promise<readonly Outcome[]> => {
      isOver = true
      await ended
      return outcomes
    },
  }
}

/** What went wrong from the first answer on. */
export const failuresAfterFirst = (outcomes: readonly Outcome[]): readonly Outcome[] => {
  const first = outcomes.findIndex(({ outcome }) => typeof outcome === 'number')
  return first === -1 ? outcomes : outcomes.slice(first).filter(({ outcome }) => typeof outcome === 'string')
}
