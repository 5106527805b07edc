import { setTimeout as delay } from 'node:timers/promises'
import type { Status } from '../../src/core/status.ts'
import { Problem } from '../../scripts/prepare.ts'
import type { Bench } from '../bench.ts'
import { memoryOf } from '../memory.ts'
import { loadPage } from '../page.ts'
import { type Box, peers } from '../peers.ts'
import type { Row } from '../row.ts'
import { median } from '../statistics.ts'

const untilAsleep = async (box: Box): Promise<void> => {
  for (const end = Date.now() + 30_000; Date.now() < end; await delay(200)) {
    const { units } = JSON.parse(await box.exec('supervisor', 'status', '--json')) as Status
    if (units.filter(({ state }) => state === 'asleep').length === 2) return
  }
  throw new Problem('Mathesar and Postgres do not sleep, although nobody came for 30 s')
}

/** CPU so far of what does not sleep, the supervisor and nginx, in milliseconds. */
const cpuOf = async (box: Box): Promise<number> =>
  Number(
    await box.sh(`for folder in /proc/[0-9]*; do
  [ "$folder" = /proc/1 ] || [ "$(cat "$folder/comm" 2>/dev/null)" = nginx ] || continue
  cat "$folder"/task/*/schedstat
done | awk '{ sum += $1 } END { print sum / 1e6 }'`),
  )

/** What a container takes that nobody comes to, and how long the first visitor waits. */
export const measureSleep = async (bench: Bench): Promise<{ readonly rows: readonly Row[] }> => {
  const cycles = bench.quick ? 2 : 100
  const seconds = bench.quick ? 5 : 30
  const options = { volume: await bench.preparedVolume(), env: { SLEEP_AFTER: '1s' } }
  return await bench.withBox(peers.ours, options, async (box) => {
    await untilAsleep(box)
    await delay(5000)
    const memory = await memoryOf(box)
    const [before, since] = [await cpuOf(box), performance.now()]
    await delay(seconds * 1000)
    const cpu = ((await cpuOf(box)) - before) / (performance.now() - since)
    const woken: number[] = []
    let failed = 0
    for (let cycle = 0; cycle < cycles; cycle++) {
      await untilAsleep(box)
      const began = performance.now()
      const status = await loadPage(box.port).catch((error: Error) => error.message)
      if (status === 200) woken.push(performance.now() - began)
      else failed++
      if (cycle % 10 === 9) bench.say(`woken ${cycle + 1} of ${cycles} times`)
    }
    return {
      rows: [
        {
          figure: 'asleep: memory of the container',
          unit: 'MB',
          cells: { ours: [memory] },
          bar: '≤ 45 MB',
          met: memory <= 45,
          note: 'without the cache of files',
        },
        {
          figure: 'asleep: CPU of the container',
          unit: '%',
          cells: { ours: [cpu * 100] },
          bar: 'nothing but the timer: ≤ 0.1 % of a core',
          met: cpu <= 0.001,
        },
        {
          figure: 'asleep → the page for the first visitor',
          unit: 'ms',
          cells: { ours: woken },
          bar: '≤ 1.5 s; none fails',
          met: failed === 0 && median(woken) <= 1500,
          note: `${cycles} times, ${failed} failed`,
        },
      ],
    }
  })
}
