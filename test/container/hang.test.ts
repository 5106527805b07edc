import { afterAll, expect, it } from 'vitest'
import { type Box, cleanUp, describeContainer, start, until } from '../helpers/docker.ts'

type Hang = (box: Box, pid: number) => Promise<unknown>

const stop = (box: Box, pids: readonly string[]) => box.exec('kill', '-STOP', ...pids)
const stopFirst: Hang = (box, pid) => stop(box, [String(pid)])
const stopWorkers: Hang = async (box, pid) =>
  await stop(box, (await box.sh(`cat /proc/${pid}/task/${pid}/children`)).stdout.trim().split(' '))
const removeSocket: Hang = (box) => box.exec('rm', '/run/mathesar/postgres/.s.PGSQL.5432')

// Each waits for most of its time, in a container of its own: all of them at once.
describeContainer('what hangs', () => {
  afterAll(cleanUp)

  it.concurrent('is not a worker that is busy for long', async () => {
    const box = await start({ env: { WEB_CONCURRENCY: '1', SAMPLE_APP_TEST: '1' } })
    await box.ready()
    expect(await (await fetch(box.url('/slow/?s=75'))).text()).toContain('slept 75')
    expect((await box.unit('mathesar')).restarts).toBe(0)
  })

  it.concurrent.each([
    { name: 'postgres', what: 'its first process is stopped', hang: stopFirst },
    { name: 'postgres', what: 'its socket is gone', hang: removeSocket },
    { name: 'mathesar', what: 'its first process is stopped', hang: stopFirst },
    { name: 'mathesar', what: 'all its workers are stopped', hang: stopWorkers },
    { name: 'door', what: 'all its workers are stopped', hang: stopWorkers },
  ])('is killed and back within 60 s: $name, where $what', async ({ name, what, hang }) => {
    const box = await start({ env: { WEB_CONCURRENCY: '2' } })
    await box.ready()
    await hang(box, (await box.unit(name)).pid!)
    const isBack = async () => (await box.unit(name).catch(() => undefined))?.restarts === 1
    await until(`${name} is started again`, isBack, 60_000, 500)
    await box.ready()
    expect(await box.logs()).toContain(`${name} hangs: ${what}`)
    expect((await box.stop()).exitCode).toBe(0)
  })
})
