import { expect, it } from 'vitest'
import { type Box, cleanUpAfterEach, describeContainer, start, until } from '../helpers/docker.ts'

/** Children of the process that is the service. */
const workersOf = async (box: Box, pid: number | null): Promise<readonly string[]> =>
  (await box.sh(`cat /proc/${pid}/task/${pid}/children`)).stdout.trim().split(' ')

describeContainer('what hangs', () => {
  cleanUpAfterEach()

  it(
    'is unhealthy, killed and back within 60 s: a postmaster, a master, all workers, a removed socket',
    { timeout: 400_000 },
    async () => {
      const box = await start({ env: { WEB_CONCURRENCY: '2' } })
      await box.ready()
      for (const [name, of] of [
        ['postgres', 'itself'],
        ['mathesar', 'itself'],
        ['mathesar', 'workers'],
        ['door', 'workers'],
      ] as const) {
        const { pid, restarts } = await box.unit(name)
        const stopped = of === 'itself' ? [String(pid)] : await workersOf(box, pid)
        const began = Date.now()
        await box.exec('kill', '-STOP', ...stopped)
        await until(
          `${name} is started again`,
          async () => (await box.unit(name).catch(() => undefined))?.restarts === restarts + 1,
          60_000,
          500,
        )
        await box.ready()
        console.log(`${name} (${of}): back after ${Date.now() - began} ms`)
      }
      const { restarts } = await box.unit('postgres')
      await box.exec('rm', '/run/mathesar/postgres/.s.PGSQL.5432')
      await until(
        'Postgres is started again',
        async () => (await box.unit('postgres').catch(() => undefined))?.restarts === restarts + 1,
        60_000,
        500,
      )
      await box.ready()
      expect(await box.logs()).toContain('postgres hangs: its socket is gone: it is killed')
      expect(await box.logs()).toContain(
        'postgres hangs: its first process is stopped (SIGSTOP): it is killed',
      )
      expect((await box.stop()).exitCode).toBe(0)
    },
  )

  it('is not a worker that is busy for long', { timeout: 200_000 }, async () => {
    const box = await start({ env: { WEB_CONCURRENCY: '1', SAMPLE_APP_TEST: '1' } })
    await box.ready()
    expect(await (await fetch(box.url('/slow/?s=75'))).text()).toContain('slept 75')
    expect((await box.unit('mathesar')).restarts).toBe(0)
  })
})
