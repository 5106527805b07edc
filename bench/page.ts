// The page as a browser without an account sees it: the login,
// or on a new installation the form for the first account.
import { request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { Problem } from '../scripts/prepare.ts'

type Answer = { readonly status: number; readonly location: string | undefined }

const get = (port: number, path: string): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        path,
        agent: false,
        timeout: 30_000,
        headers: { host: `localhost:${port}` },
      },
      (response) => {
        response.resume()
        response.once('end', () =>
          resolve({ status: response.statusCode ?? 0, location: response.headers.location }),
        )
        response.once('error', reject)
      },
    )
    sent.once('timeout', () => sent.destroy(new Error('no answer in 30 s')))
    sent.once('error', reject)
    sent.end()
  })

/** Loads the page. Resolves with the last status; throws when there is no answer. */
export const loadPage = async (port: number): Promise<number> => {
  const { status, location } = await get(port, '/auth/login/')
  return status === 302 && location?.startsWith('/complete_installation/')
    ? (await get(port, '/complete_installation/')).status
    : status
}

/** Moments, as `Date.now()`: of the first answer of any kind, and of the page that is there. */
export type Answered = { readonly any: number; readonly page: number }

export const waitForPage = async (
  port: number,
  isAlive: () => Promise<boolean>,
  limitMs = 120_000,
): Promise<Answered> => {
  let any: number | undefined
  let nextLookMs = Date.now() + 2000
  for (const end = Date.now() + limitMs; ;) {
    const status = await loadPage(port).catch((error: Error) => error.message)
    const now = Date.now()
    if (typeof status === 'number') any ??= now
    if (status === 200) return { any: any!, page: now }
    if (now > end) throw new Problem(`the page did not answer 200 within ${limitMs / 1000} s: ${status}`)
    if (now > nextLookMs) {
      if (!(await isAlive())) throw new Problem(`the container ended before its page answered: ${status}`)
      nextLookMs = Date.now() + 2000
    }
    await delay(5)
  }
}

export type Load = { readonly times: readonly number[]; readonly failures: readonly string[] }

/** People who load the page, look at it for half a second, and load it again, until `until` ends. */
export const loadUntil = async (port: number, people: number, until: Promise<unknown>): Promise<Load> => {
  const times: number[] = []
  const failures: string[] = []
  let done = false
  const ended = until.finally(() => {
    done = true
  })
  const person = async (index: number): Promise<void> => {
    await delay((index * 500) / people)
    while (!done) {
      const began = performance.now()
      const status = await loadPage(port).catch((error: Error) => error.message)
      times.push(performance.now() - began)
      if (status !== 200) failures.push(String(status))
      await delay(500)
    }
  }
  await Promise.all([ended, ...Array.from({ length: people }, (_, index) => person(index))])
  return { times, failures }
}
