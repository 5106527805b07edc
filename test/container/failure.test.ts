import { expect, it } from 'vitest'
import { errorTable } from '../../src/errors.ts'
import {
  browse,
  cleanUpAfterEach,
  clusterState,
  describeContainer,
  newVolume,
  start,
  until,
  type Box,
} from '../helpers/docker.ts'

const kill = async (box: Box, pid: number | null): Promise<void> => {
  const { exitCode, stderr } = await box.sh(`kill -9 ${pid}`)
  expect(exitCode, stderr).toBe(0)
}

describeContainer('a service that is killed', () => {
  cleanUpAfterEach()

  it('comes back when it is Postgres, and Mathesar lives on', async () => {
    const box = await start()
    await box.ready()
    const mathesar = await box.unit('mathesar')
    const { pid } = await box.unit('postgres')
    await kill(box, pid)
    const postgres = await until('Postgres is back', async () => {
      const unit = await box.unit('postgres')
      return unit.state === 'ready' && unit.pid !== pid && unit
    })
    expect(postgres).toMatchObject({ restarts: 1, lastExit: expect.stringContaining('SIGKILL') })
    await until('the container is ready', async () => (await box.status()).ready)
    expect(await browse(box).get('/auth/login/')).toMatchObject({ status: 302 })
    expect(await box.unit('mathesar')).toMatchObject({ pid: mathesar.pid, restarts: 0, state: 'ready' })
    // As long as it is away visitors see the page, and not the errors of a Mathesar without a database.
    await box.supervisor('stop', 'postgres')
    expect(await browse(box).get('/auth/login/')).toMatchObject({ status: 503 })
    await box.supervisor('start', 'postgres')
    await until('pages are back', async () => (await browse(box).get('/auth/login/')).status === 302)
    expect((await box.stop()).exitCode).toBe(0)
  })

  it("comes back when it is gunicorn's master", async () => {
    const box = await start()
    await box.ready()
    const postgres = await box.unit('postgres')
    const { pid } = await box.unit('mathesar')
    await kill(box, pid)
    const mathesar = await until('Mathesar is back', async () => {
      const unit = await box.unit('mathesar')
      return unit.state === 'ready' && unit.pid !== pid && unit
    })
    expect(mathesar).toMatchObject({ restarts: 1, lastExit: expect.stringContaining('SIGKILL') })
    expect(await browse(box).get('/auth/login/')).toMatchObject({ status: 302 })
    expect(await box.unit('postgres')).toMatchObject({ pid: postgres.pid, restarts: 0 })
    expect((await box.stop()).exitCode).toBe(0)
  })

  it('is replaced by gunicorn when it is one of its workers', async () => {
    const box = await start({ env: { SAMPLE_APP_TEST: '1', WEB_CONCURRENCY: '1' } })
    await box.ready()
    const worker = async (): Promise<{ pid: number; ppid: number }> =>
      JSON.parse((await browse(box).get('/pid/')).text) as { pid: number; ppid: number }
    const { pid, ppid } = await worker()
    await kill(box, pid)
    await until('another worker answers', async () => (await worker().catch(() => ({ pid }))).pid !== pid)
    expect(await box.status()).toMatchObject({ ready: true })
    expect(await box.unit('mathesar')).toMatchObject({ pid: ppid, restarts: 0, state: 'ready' })
    expect((await box.stop()).exitCode).toBe(0)
  })
})

describeContainer('a crash loop', () => {
  cleanUpAfterEach()

  // gunicorn shows the traceback of every error but a RuntimeError, which `settings` raises:
  // it prints its text alone.
  it.each([
    ['settings', 'Error: SAMPLE_APP_BREAK=settings'],
    ['import-slow:for-ever', 'ValueError: '],
  ])(
    'ends the container with exit code 10, and the last lines name Mathesar and say why it died (%s)',
    async (breakage, why) => {
      const box = await start({ env: { SAMPLE_APP_BREAK: breakage } })
      expect(await box.ended()).toBe(10)
      const lines = (await box.logs()).split('\n')
      const last = lines
        .slice(lines.findIndex((line) => line.includes('exit code 10 (SERVICE_CRASH_LOOP): mathesar died')))
        .join('\n')
      expect(last).toContain(why)
      if (breakage === 'settings') return
      expect(last).toMatch(/File "\/code\/config\/.*", line \d+/)
    },
  )
})

describeContainer('a fault that nobody foresaw', () => {
  cleanUpAfterEach()

  it('ends the container with exit code 1: the last lines name INTERNAL, to be reported', async () => {
    const volume = await newVolume()
    const box = await start({
      volume,
      run: ['--volume', '/etc/passwd:/usr/local/share/supervisor/migrations.json:ro'],
    }) // No image has a list of migrations that is no JSON.
    expect(await box.ended()).toBe(1)
    const [said, hint] = (await box.logs()).split('\n').slice(-2)
    expect(said).toMatch(/exit code 1 \(INTERNAL\): internal error: .*JSON/)
    expect(hint).toContain(errorTable.INTERNAL.hint)
    expect(await clusterState(volume)).toBe('shut down')
  })
})
