import { setTimeout as delay } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import { tryDocker } from '../docker.ts'
import { loadUntil } from '../page.ts'
import { peers } from '../peers.ts'
import { failuresRow, type Row, rowsWithout } from '../row.ts'

const people = 16
const figures = [
  'a config change takes effect',
  'requests that fail meanwhile',
  'the slowest request meanwhile',
] as const
const bars = ['', 'none', '≤ 250 ms'] as const

/** WEB_CONCURRENCY is changed while 16 people load the page, each twice a second at most. */
export const measureConfig = async (bench: Bench): Promise<{ readonly rows: readonly Row[] }> => {
  // Without WEB_CONCURRENCY in the environment, which would overrule what is set.
  return await bench.withBox(
    peers.ours,
    { volume: await bench.preparedVolume(), workers: 0 },
    async (box) => {
      if ((await tryDocker('exec', box.name, 'supervisor', 'config', '--help')).code !== 0) {
        return { rows: rowsWithout(figures, 'skipped: this image has no `supervisor config`', bars) }
      }
      const took: number[] = []
      const failed: number[] = []
      const slowest: number[] = []
      const quiet: number[] = []
      const why = new Set<string>()
      for (let run = 0; run < bench.runs; run++) {
        quiet.push(Math.max(...(await loadUntil(box.port, people, delay(3000))).times))
        const change = async (): Promise<void> => {
          await delay(1000)
          const began = performance.now()
          await box.exec('supervisor', 'config', 'set', `WEB_CONCURRENCY=${run % 2 === 0 ? 3 : 2}`)
          took.push(performance.now() - began)
          await delay(2000)
        }
        const { times, failures } = await loadUntil(box.port, people, change())
        failed.push(failures.length)
        slowest.push(Math.max(...times))
        for (const failure of failures) why.add(failure)
        bench.say(
          `config change ${run + 1} of ${bench.runs}: ` +
            `${failures.length} of ${times.length} requests failed, ` +
            `the slowest took ${Math.round(slowest.at(-1)!)} ms`,
        )
      }
      return {
        rows: [
          {
            figure: figures[0],
            unit: 'ms',
            cells: { ours: took },
            bar: bars[0],
            met: undefined,
            note: '`docker exec` of `supervisor config set`, until it says that the change is in force',
          },
          failuresRow(figures[1], failed, why),
          {
            figure: figures[2],
            unit: 'ms',
            cells: { ours: slowest },
            bar: bars[2],
            met: Math.max(...slowest) <= 250,
            note: `the slowest without a change: ${Math.round(Math.max(...quiet))} ms`,
          },
        ],
      }
    },
  )
}
