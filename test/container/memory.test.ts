import { expect, it } from 'vitest'
import { cleanUpAfterEach, describeContainer, start, until, type Box } from '../helpers/docker.ts'

type Scores = {
  readonly supervisor: number
  readonly services: readonly number[]
  readonly workers: readonly number[]
}

/** oom_score_adj of PID 1, of the services that it runs, and of what these have forked. */
const scoresOf = async (box: Box): Promise<Scores> => {
  const { stdout } = await box.sh(`for folder in /proc/[0-9]*; do
    echo "$(sed 's/.*) . //; s/ .*//' $folder/stat) \${folder#/proc/} $(cat $folder/oom_score_adj)"
  done 2> /dev/null`)
  const processes = stdout
    .split('\n')
    .map((line) => line.split(' ').map(Number))
    .map(([parent, pid, score]) => ({ parent, pid, score: score! }))
  const units = (await box.status()).units.filter(({ kind }) => kind === 'service')
  // A worker of the web server holds the requests of many, and so has the score of its service.
  const services = units.flatMap(({ name, pid }) => (name === 'door' ? [] : [pid]))
  const scores = (wanted: (process: (typeof processes)[number]) => boolean): number[] =>
    processes.filter(wanted).map(({ score }) => score)
  return {
    supervisor: scores(({ pid }) => pid === 1)[0]!,
    services: scores(({ pid }) => services.includes(pid!)),
    workers: scores(({ parent }) => services.includes(parent!)),
  }
}

/** Fails unless Postgres and Mathesar run, Mathesar with two workers. */
const expectScores = (
  { supervisor, services, workers }: Scores,
  expected: Readonly<Record<'supervisor' | 'service' | 'worker', number>>,
): void => {
  expect(services).toHaveLength(2)
  expect(workers.length).toBeGreaterThan(2)
  expect({ supervisor, service: [...new Set(services)], worker: [...new Set(workers)] }).toEqual({
    supervisor: expected.supervisor,
    service: [expected.service],
    worker: [expected.worker],
  })
}

const anyUser = [
  '--user',
  '12345:0',
  '--read-only',
  '--cap-drop',
  'ALL',
  '--security-opt',
  'no-new-privileges',
]

describeContainer(
  'when memory runs out, the kernel takes what serves one request first and the supervisor last',
  () => {
    cleanUpAfterEach()

    it.each([
      ['as root', [], { supervisor: 0, service: 100, worker: 200 }],
      [
        'as any user on a read-only root without capabilities',
        anyUser,
        { supervisor: 0, service: 100, worker: 200 },
      ],
      [
        'in a container that is to go before others',
        ['--oom-score-adj', '850'],
        { supervisor: 850, service: 950, worker: 1000 },
      ],
    ] as const)('%s, also of what took the place of the killed', async (_, run, expected) => {
      const box = await start({ run, env: { WEB_CONCURRENCY: '2' } })
      await box.ready()
      expectScores(await scoresOf(box), expected)

      const children = async (unit: string): Promise<string[]> =>
        (await box.sh(`cat /proc/${(await box.unit(unit)).pid}/task/*/children`)).stdout.trim().split(' ')
      const replaced = async (unit: string, [killed]: readonly string[]): Promise<void> => {
        await box.exec('kill', '-9', killed!)
        await until(`the child of ${unit} is replaced`, async () => {
          const now = await children(unit)
          return !now.includes(killed!) && now.length > 1
        })
      }
      await replaced('mathesar', await children('mathesar'))
      await replaced('postgres', await children('postgres'))
      await until('all is ready again', async () => (await box.status()).ready)
      expectScores(await scoresOf(box), expected)
    })
    it('and loses a worker alone where its memory is full of what belongs to no process', async () => {
      const box = await start({
        run: ['--memory', '300m', '--memory-swap', '300m', '--shm-size', '400m'],
        env: { WEB_CONCURRENCY: '2' },
      })
      await box.ready()
      const before = await box.status()
      // Files in memory: they count for the container and for nobody in it. The kernel's count of what it
      // killed is in either file.
      const { stdout } = await box.sh(`for chunk in $(seq 90); do
      grep -qs 'oom_kill [1-9]' /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control &&
        echo killed && break
      head -c 4M /dev/zero >> /dev/shm/full
    done
    rm /dev/shm/full`)
      expect(stdout).toBe('killed')
      await until('the worker is replaced', async () => (await box.logs()).includes('was sent SIGKILL'))
      const after = await until('all is ready', async () => {
        const status = await box.status()
        return status.ready && status
      })
      expect(after.units.map(({ pid }) => pid)).toEqual(before.units.map(({ pid }) => pid))
      expect(after.supervisor.startedAt).toBe(before.supervisor.startedAt)
    })
  },
)
