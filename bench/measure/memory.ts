import { setTimeout as delay } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import { memoryOf } from '../memory.ts'
import { type Peer, peers, type Start } from '../peers.ts'
import type { Row } from '../row.ts'
import { median } from '../statistics.ts'

const MiB = 1.048576

/** A machine of that size, without swap. */
const withMemory = (size: string): readonly string[] => ['--memory', size, '--memory-swap', size]

/** What each takes once its page was loaded, after as many boots as there are runs. */
const measure = async (bench: Bench, peer: Peer, options: Start): Promise<readonly number[]> => {
  const found: number[] = []
  for (let run = 0; run < bench.runs; run++)
    await bench.withBox(peer, options, async (box) => {
      await delay(5000)
      found.push(await memoryOf(box))
    })
  return found
}

/** Seconds of a first boot until the page with 256 MB and no swap, of each boot that came so far. */
const bootSmall = async (bench: Bench): Promise<readonly number[]> => {
  const found: number[] = []
  for (let run = 0; run < bench.runs; run++) {
    const since = Date.now()
    const boot = bench.withBox(peers.ours, { workers: 0, run: withMemory('256m') }, async () => {
      found.push((Date.now() - since) / 1000)
    })
    await boot.catch((error: Error) => bench.say(error.message))
  }
  return found
}

/** The memory of the whole container after a boot, and whether a small machine is enough. */
export const measureMemory = async (bench: Bench): Promise<{ readonly rows: readonly Row[] }> => {
  const ours = await measure(bench, peers.ours, {})
  const mathesar = await measure(bench, peers.mathesar, {})
  const single = await measure(bench, peers.ours, { workers: 1, run: withMemory('512m') })
  const small = await bootSmall(bench)
  const times = median(ours) / median(mathesar)
  return {
    rows: [
      {
        figure: 'memory of the container, two workers',
        unit: 'MB',
        cells: { ours, mathesar },
        bar: "≤ 1.15 × Mathesar's own way",
        met: times <= 1.15,
        note: `${times.toFixed(2)} × Mathesar's own way; without the cache of files`,
      },
      {
        figure: 'the same with one worker and `--memory 512m`',
        unit: 'MB',
        cells: { ours: single },
        bar: '≤ 147 MB (140 MiB)',
        met: Math.max(...single) <= 140 * MiB,
      },
      {
        figure: 'first boot → page with `--memory 256m`, no swap',
        unit: 's',
        cells: small.length === 0 ? {} : { ours: small },
        bar: 'it serves',
        met: small.length === bench.runs,
        note: `${small.length} of ${bench.runs} boots`,
      },
    ],
  }
}
