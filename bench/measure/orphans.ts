import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Bench } from '../bench.ts'
import { type PeerName, peers } from '../peers.ts'
import type { Row } from '../row.ts'
import { median } from '../statistics.ts'

const measured = ['ours', 'supervisord', 's6', 'tini'] as const satisfies readonly PeerName[]
const script = readFileSync(join(import.meta.dirname, '../inside/orphans.pl'), 'utf8')

// Enough for each: the slowest would take minutes for what the fastest does in a blink.
const counts: Readonly<Record<(typeof measured)[number], number>> = { ours: 5000, supervisord: 300, s6: 5000, tini: 5000 }

/** Many dead processes lose their parent in one moment: how fast does PID 1 collect them, and what does it cost? */
export const measureOrphans = async (bench: Bench): Promise<{ readonly rows: readonly Row[] }> => {
  const rates: { [name in (typeof measured)[number]]?: number[] } = {}
  const cpu: typeof rates = {}
  for (const name of measured) {
    const count = counts[name]
    await bench.withBox(peers[name], { volume: await bench.preparedVolume() }, async (box) => {
      for (let run = 0; run < Math.min(bench.runs, 5); run++) {
        const [ms, ns] = (await box.exec('perl', '-e', script, String(count))).split(' ').map(Number) as [number, number]
        ;(rates[name] ??= []).push(count / (ms / 1000))
        ;(cpu[name] ??= []).push(ns / 1e6 / (count / 1000))
      }
    })
    bench.say(`orphans under ${peers[name].title}: ${Math.round(median(rates[name]!))} a second`)
  }
  const times = median(cpu.ours!) / median(cpu.tini!)
  return { rows: [
    { figure: 'orphans collected', unit: '/s', cells: rates, bar: '≥ 100,000/s', met: median(rates.ours!) >= 100_000, note: `${counts.ours} lose their parent in one moment (under supervisord ${counts.supervisord})` },
    { figure: 'CPU of PID 1 for 1000 orphans', unit: 'ms', cells: cpu, bar: "≤ 4 × tini's", met: times <= 4, note: `${times.toFixed(1)} × tini's` },
  ] }
}
