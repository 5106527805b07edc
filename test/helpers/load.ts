import { get, type IncomingMessage } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

export type Load = {
  readonly requests: number
  readonly failed: readonly string[]
  readonly slowestMs: number
  readonly middleMs: number
}

const whyFailed = ({ complete, statusCode = 0 }: IncomingMessage): string | undefined => {
  if (!complete) return 'cut off'
  return [200, 302].includes(statusCode) ? undefined : `status ${statusCode}`
}

const once = (url: string): Promise<string | undefined> =>
  new Promise((resolve) => {
    get(url, { agent: false, signal: AbortSignal.timeout(60_000) }, (response) => {
      response.on('error', () => {}).resume()
      response.once('close', () => resolve(whyFailed(response)))
    }).once('error', (error) => resolve(error.message))
  })

/** Clients that ask again and again, each over a new connection, until told to stop. */
export const startLoad = (
  url: string,
  clients = 16,
  pauseMs = 40,
): { readonly stop: () => Promise<Load> } => {
  const tookMs: number[] = []
  const failed: string[] = []
  let isOver = false
  const work = async (): Promise<void> => {
    while (!isOver) {
      const began = performance.now()
      const why = await once(url)
      tookMs.push(performance.now() - began)
      if (why !== undefined) failed.push(why)
      await delay(pauseMs)
    }
  }
  const all = Array.from({ length: clients }, work)
  return {
    stop: async () => {
      isOver = true
      await Promise.all(all)
      tookMs.sort((a, b) => a - b)
      return {
        requests: tookMs.length,
        failed,
        slowestMs: Math.round(tookMs.at(-1) ?? 0),
        middleMs: Math.round(tookMs[tookMs.length >> 1] ?? 0),
      }
    },
  }
}
