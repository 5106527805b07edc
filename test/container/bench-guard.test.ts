import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { readShare, stampedSupervisor } from '../../bench/stamped.ts'
import { median } from '../../bench/statistics.ts'
import { cleanUpAfterEach, describeContainer, mustDocker, start, until, type Box } from '../helpers/docker.ts'

// Ratios to bare Node in the same container and the same moments, and of CPU time:
// a slow machine is slow for both, and a busy one takes no more of it.
const baseline = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../bench/baseline.json'), 'utf8'),
) as Readonly<Record<'share' | 'status' | 'memory', number>>
const tolerance = 1.5
/** Of boots. Whatever else a machine does only adds to the time: the least of some is that of the work. */
const leastBoots = 7
const mostBoots = 25
const node = '/usr/local/lib/supervisor/node'

const bash = (box: Box, script: string): Promise<string> => mustDocker('exec', box.id, 'bash', '-euc', script)

const expectNoGrowth = (figure: keyof typeof baseline, ratio: number): void => {
  console.log(`${figure}: ${ratio.toFixed(2)} × bare Node; baseline ${baseline[figure]}`)
  expect(ratio, `${figure}, in times of bare Node, has grown by half over bench/baseline.json`).toBeLessThan(
    tolerance * baseline[figure],
  )
}

describeContainer('beside bare Node', () => {
  cleanUpAfterEach()

  it("the supervisor's own share of a boot has not grown by half", async () => {
    const [entrypoint, ...args] = stampedSupervisor(3)
    const box = await start({ run: ['--entrypoint', entrypoint!], args })
    const own: number[] = []
    const bare: number[] = []
    const ratio = (): number => Math.min(...own) / Math.min(...bare)
    const isSettled = (): boolean => own.length >= leastBoots && ratio() < tolerance * baseline.share
    for (let boot = 0; boot <= mostBoots && !isSettled(); boot++) {
      if (boot > 0) await box.startAgain()
      const { shareCpuMs, nodeCpuMs } = await until('the first child is there', async () => {
        const log = await box.logs()
        return log.split('bench: PID 1 ').length === boot + 2 && readShare(log)
      })
      // The first boot makes what the others find.
      if (boot > 0) {
        own.push(shareCpuMs)
        bare.push(...nodeCpuMs)
      }
      await box.signal('KILL')
      await box.ended()
    }
    expectNoGrowth('share', ratio())
  })

  it('`supervisor status` has not grown by half', async () => {
    const box = await start()
    await box.ready()
    // In turn, and inside: there `docker exec` does not count.
    const ratios = await bash(
      box,
      `
TIMEFORMAT='%U %S'
for run in {1..15}; do
  bare=$({ time ${node} -e 0; } 2>&1)
  own=$({ time supervisor status > /dev/null; } 2>&1)
  echo "$own $bare"
done`,
    )
    expectNoGrowth(
      'status',
      median(
        ratios
          .split('\n')
          .map((line) => line.split(' ').map(Number))
          .map(([user, system, bareUser, bareSystem]) => (user! + system!) / (bareUser! + bareSystem!)),
      ),
    )
  })

  it('the memory of PID 1 when idle, its own and not that of files, has not grown by half', async () => {
    const box = await start({ run: ['--log-driver', 'none'] })
    await box.ready()
    const [own, bare] = (
      await bash(
        box,
        `
${node} -e 'console.log(1); setInterval(() => {}, 1e9)' > /tmp/up & bare=$!
until [ -s /tmp/up ]; do sleep 0.05; done
sleep 8
for pid in 1 $bare; do awk '/^Private_Dirty:/ { print $2 }' /proc/$pid/smaps_rollup; done
kill $bare`,
      )
    )
      .split('\n')
      .map(Number)
    expectNoGrowth('memory', own! / bare!)
    // What a flood takes comes back: lines of 10 MB.
    await bash(
      box,
      `supervisor psql -d postgres -qc "DO \\$\\$ BEGIN
        FOR n IN 1..30 LOOP RAISE LOG '%', repeat('x', 10000000); END LOOP;
      END \\$\\$"`,
    )
    await until('what a flood of its log took is given back', async () => {
      const [now] = (await bash(box, "awk '/^Private_Dirty:/ { print $2 }' /proc/1/smaps_rollup")).split('\n')
      return Number(now) < own! + 8 * 1024
    })
  })
})
