import { execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { ask, isRoot } from '../../scripts/prepare.ts'
import type { Bench } from '../bench.ts'
import { type Box, type PeerName, peers } from '../peers.ts'
import { type Row, rowsWithout } from '../row.ts'
import { median } from '../statistics.ts'

const measured = ['ours', 'mathesar', 'floor'] as const satisfies readonly PeerName[]
type Seconds = Record<(typeof measured)[number], number[]>

const secondBoot = async (box: Box, before: () => void): Promise<number> => {
  await box.run()
  await box.page()
  await box.stop()
  before()
  const since = Date.now()
  await box.startAgain()
  const { page } = await box.page()
  return (page - since) / 1000
}

const measure = async (bench: Bench, run: readonly string[], before = (): void => {}): Promise<Seconds> => {
  const found: Seconds = { ours: [], mathesar: [], floor: [] }
  for (let turn = 0; turn < bench.runs; turn++)
    for (const name of measured) {
      const volume = name === 'floor' ? { volume: await bench.preparedVolume() } : {}
      const box = await bench.box(peers[name], { ...volume, run })
      try {
        found[name].push(await secondBoot(box, before))
      } finally {
        await box.remove().catch(() => {})
      }
      bench.say(
        `${run.join(' ')}, ${turn + 1} of ${bench.runs}: ${peers[name].title} ${found[name].at(-1)} s`,
      )
    }
  return found
}

const rowOf = (figure: string, cells: Seconds, note = ''): Row => {
  const times = median(cells.ours) / median(cells.floor)
  return {
    figure,
    unit: 's',
    cells,
    bar: '≤ 1.15 × the floor',
    met: times <= 1.15,
    note: `${times.toFixed(2)} × the floor${note}`,
  }
}

/** The disk that holds containers and volumes, where this process can have all of it read anew. */
const findDisk = (): string | undefined => {
  if (!isRoot || !existsSync('/proc/sys/vm/drop_caches')) return undefined
  const folder = ask('docker', ['info', '--format', '{{.DockerRootDir}}']).stdout.trim()
  const { stdout } = ask('findmnt', ['--noheadings', '--output', 'SOURCE', '--target', folder])
  return /^\/dev\/[^[\s]+/.exec(stdout)?.[0]
}

const forgetFiles = (): void => {
  execFileSync('sync')
  writeFileSync('/proc/sys/vm/drop_caches', '3')
}

/** The second boot on small machines: one core, and a disk that reads 20 MB/s with nothing in memory. */
export const measureMachines = async (bench: Bench): Promise<{ readonly rows: readonly Row[] }> => {
  const rows = [rowOf('second boot on one core', await measure(bench, ['--cpuset-cpus', '0']))]
  const figure = 'second boot from a disk of 20 MB/s'
  const disk = findDisk()
  if (disk === undefined)
    return { rows: [...rows, ...rowsWithout([figure], 'skipped: only root can have the disk read anew')] }
  const cold = await measure(bench, ['--device-read-bps', `${disk}:20mb`], forgetFiles)
  return { rows: [...rows, rowOf(figure, cold, '; nothing of it is in memory at its start')] }
}
