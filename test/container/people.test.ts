import { expect, it } from 'vitest'
import { cleanUpAfterEach, describeContainer, start } from '../helpers/docker.ts'
import { startLoad } from '../helpers/load.ts'

const pageMs = async (url: string, duringMs: number): Promise<number> => {
  const load = startLoad(url, 16, 300)
  await new Promise((resolve) => setTimeout(resolve, duringMs))
  const { failed, middleMs } = await load.stop()
  expect(failed).toEqual([])
  return middleMs
}

/** Resolves with what is wrong with the answer; never rejects. */
const ask = (url: string): Promise<string | undefined> =>
  fetch(url, { redirect: 'manual' }).then(
    async (answer) =>
      [200, 302].includes(answer.status) ? undefined : `${answer.status} ${await answer.text()}`,
    (error: Error) => error.message,
  )

describeContainer('many people at once', () => {
  cleanUpAfterEach()

  it(
    'do not wait for the slow queries of others; a change, a restart and a stop cut none off',
    { timeout: 200_000 },
    async () => {
      const box = await start({
        env: { WEB_CONCURRENCY: '2', SAMPLE_APP_TEST: '1', STOP_GRACE_PERIOD: '30' },
      })
      await box.ready()
      const page = box.url('/auth/login/')
      const slow = (seconds: number, count = 4): Promise<(string | undefined)[]> =>
        Promise.all(Array.from({ length: count }, () => ask(box.url(`/query/?s=${seconds}`))))

      const aloneMs = await pageMs(page, 4000)
      const queries = slow(12)
      const besideMs = await pageMs(page, 4000)
      console.log(`a page takes ${aloneMs} ms, and ${besideMs} ms beside 4 slow queries`)
      // The bar of a quiet machine is 1.5 times; a page that waited for a query takes seconds.
      expect(besideMs).toBeLessThan(aloneMs * 3 + 500)

      const load = startLoad(page)
      const changed = await box.exec('supervisor', 'config', 'set', 'CSRF_TRUSTED_ORIGINS=https://a.example')
      expect(changed.exitCode, changed.stderr).toBe(0)
      expect(await queries, 'queries that the old generation finishes').toEqual(Array(4).fill(undefined))
      const across = slow(4, 12)
      await new Promise((resolve) => setTimeout(resolve, 300))
      expect((await box.exec('supervisor', 'restart', 'mathesar')).exitCode).toBe(0)
      expect(await across, 'queries across a restart').toEqual(Array(12).fill(undefined))
      expect((await load.stop()).failed).toEqual([])

      const last = slow(4, 12)
      await new Promise((resolve) => setTimeout(resolve, 300))
      expect((await box.stop()).exitCode).toBe(0)
      expect(await last, 'queries across a stop').toEqual(Array(12).fill(undefined))
    },
  )

  it('get more than GUNICORN_TIMEOUT while a thread is free, and no more when all hang', async () => {
    const box = await start({
      env: { WEB_CONCURRENCY: '1', WEB_THREADS: '2', GUNICORN_TIMEOUT: '3', SAMPLE_APP_TEST: '1' },
    })
    await box.ready()
    expect(await ask(box.url('/slow/?s=7'))).toBeUndefined()
    const hanging = [1, 2].map(() => ask(box.url('/slow/?s=40')))
    const began = Date.now()
    await new Promise((resolve) => setTimeout(resolve, 500))
    expect(await ask(box.url('/auth/login/'))).toBeUndefined()
    expect(Date.now() - began).toBeLessThan(15_000)
    for (const answer of await Promise.all(hanging)) expect(answer).toBeDefined()
    expect(await box.logs()).toContain('in slow') // Where it hung.
    expect((await box.unit('mathesar')).restarts).toBe(0)
  })
})
