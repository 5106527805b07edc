import { expect, it } from 'vitest'
import {
  type Box,
  browse,
  cleanUpAfterEach,
  describeContainer,
  docker,
  makeAdmin,
  start,
  until,
} from '../helpers/docker.ts'

const MiB = 1024 * 1024
const states = async (box: Box): Promise<readonly string[]> =>
  (await box.status()).units.filter(({ kind }) => kind === 'service').map(({ state }) => state)
const untilAsleep = (box: Box): Promise<unknown> =>
  until(
    'it sleeps',
    async () => (await states(box)).filter((state) => state === 'asleep').length === 2,
    30_000,
  )

const memoryOf = async (box: Box): Promise<number> => {
  const { stdout } = await docker('stats', '--no-stream', '--format', '{{.MemUsage}}', box.id)
  return Number.parseFloat(stdout) * MiB
}

describeContainer('a container that nobody comes to', () => {
  cleanUpAfterEach()

  it(
    'sleeps, is ready all the same, and wakes for visitors and for commands, whose requests all are answered',
    { timeout: 600_000 },
    async () => {
      const box = await start({
        env: { SLEEP_AFTER: '2s', SAMPLE_APP_TEST: '1', WEB_CONCURRENCY: '2' },
      })
      await box.ready()
      const admin = await makeAdmin(box)
      const page = box.url('/auth/login/')

      // As long as somebody waits for an answer it is awake.
      expect(await (await fetch(box.url('/query/?s=5'))).text()).toContain('asked for 5')
      await untilAsleep(box)
      expect((await box.exec('pgrep', '-f', 'gunicorn|postgres')).stdout).toBe('')
      for (const path of ['/readyz', '/livez', '/startupz', '/healthz/ready/', '/static/mathesar/sample.css'])
        expect((await fetch(box.url(path))).status, path).toBe(200)
      expect((await box.exec('supervisor', 'health')).exitCode).toBe(0)
      expect(await box.status()).toMatchObject({ ready: true, problems: [] })
      const bytes = await memoryOf(box)
      console.log(`asleep: ${(bytes / MiB).toFixed(1)} MiB`)
      expect(bytes).toBeLessThan(45 * MiB)
      expect(
        (await states(box)).filter((state) => state === 'asleep'),
        'no probe wakes it',
      ).toHaveLength(2)

      const began = Date.now()
      const answers = await Promise.all(Array.from({ length: 16 }, async () => (await fetch(page)).status))
      console.log(`awake after ${Date.now() - began} ms`)
      expect(answers).toEqual(Array(16).fill(200))
      expect((await box.unit('mathesar')).restarts).toBe(0)

      await untilAsleep(box)
      for (const [browser, length] of [
        [browse(box), 90_000],
        [browse(box), 700_000],
        [admin, 5_000_000],
      ] as const) {
        const echoed = await browser.get('/echo/', { method: 'POST', body: 'x'.repeat(length) })
        expect(JSON.parse(echoed.text)).toMatchObject({ length, scheme: 'http' })
        await untilAsleep(box)
      }
      const refused = await browse(box).get('/echo/', { method: 'POST', body: 'x'.repeat(5_000_000) })
      expect([refused.status, refused.text]).toEqual([403, expect.stringContaining('Log in')])

      await untilAsleep(box)
      const { stdout } = await box.exec('supervisor', 'psql', '-Atc', 'select 6 * 7')
      expect(stdout.trim()).toBe('42')
      await untilAsleep(box)
      const backup = await box.exec('supervisor', 'backup', 'volume')
      expect(backup.exitCode, backup.stderr).toBe(0)
      await untilAsleep(box)
      const changed = await box.exec('supervisor', 'config', 'set', 'GUNICORN_TIMEOUT=77')
      expect(changed.exitCode, changed.stderr).toBe(0)

      for (let cycle = 0; cycle < 3; cycle++) {
        await untilAsleep(box)
        const headers = { cookie: `a=${'x'.repeat(7000)}`, referer: `${page}?${'y'.repeat(5000)}` }
        expect((await fetch(page, { headers })).status).toBe(200)
      }
      await untilAsleep(box)
      expect(await box.logs()).not.toMatch(/ error /)
      expect((await box.stop()).exitCode).toBe(0)
    },
  )
})
