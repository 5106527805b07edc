import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Bench } from '../bench.ts'
import { type PeerName, peers } from '../peers.ts'
import type { Row } from '../row.ts'
import { median } from '../statistics.ts'

const measured = ['ours', 'supervisord', 's6', 'tini'] as const satisfies readonly PeerName[]
const script = readFileSync(join(import.meta.dirname, '../inside/orphans.pl'), 'utf8')

// Enough for each: the slowest would take minutes for what the fastest does in a blink.
const counts: Readonly<Record<(typeof measured)[number], number>> = {
  ours: 5000,
  supervisord: 300,
  s6: 5000,
  tini: 5000,
}

/**
 * Many dead processes lose their parent in one moment: how fast does PID 1 collect them,
 * and what does it cost?
 */
export const measureOrphans = async (bench: Bench): Promise<{ readonly rows: readonly Row[] }> => {
  const rates: { [name in (typeof measured)[number]]?: number[] } = {}
  const cpu: typeof rates = {}
  const boxes = await Promise.all(
    measured.map(async (name) => ({
      name,
      box: await bench.box(peers[name], { volume: await bench.preparedVolume() }),
    })),
  )
  try {
    await Promise.all(
      boxes.map(async ({ box }) => {
        await box.run()
        await box.page()
      }),
    )
    for (let run = 0; run < bench.runs; run++) {
      for (const { name, box } of boxes) {
        const [ms, ns] = (await box.exec('perl', '-e', script, String(counts[name])))
          .split(' ')
          .map(Number) as [number, number]
        ;(rates[name] ??= []).push(counts[name] / (ms / 1000))
        ;(cpu[name] ??= []).push(ns / 1e6 / (counts[name] / 1000))
        bench.say(
          `orphans ${run + 1} of ${bench.runs}, under ${peers[name].title}: ` +
            `${Math.round(rates[name].at(-1)!)} a second`,
        )
      }
    }
  } finally {
    for (const { box } of boxes) await box.remove().catch(() => {})
  }
  const times = median(cpu.ours!) / median(cpu.tini!)
  return {
    rows: [
      {
        figure: 'orphans collected',
        unit: '/s',
        cells: rates,
        bar: '≥ 100,000/s',
        met: median(rates.ours!) >= 100_000,
        note: `${counts.ours} lose their parent in one moment (under supervisord ${counts.supervisord})`,
      },
      {
        figure: 'CPU of PID 1 for 1000 orphans',
        unit: 'ms',
        cells: cpu,
        bar: "≤ 4 × tini's",
        met: times <= 4,
        note: `${times.toFixed(1)} × tini's`,
      },
    ],
  }
}
