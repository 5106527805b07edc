import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import { type Box, peers } from '../peers.ts'
import type { Row } from '../row.ts'
import { median, showNumber } from '../statistics.ts'
import { measureThroughput } from '../throughput.ts'

const script = readFileSync(join(import.meta.dirname, '../inside/kill.mjs'), 'utf8')
const clients = 8

/** The largest static file that is there compressed, too. */
const staticPath = async (box: Box): Promise<string> => {
  const find = "cd /code/static && find . -name '*.gz' -printf '%s %P\\n' | sort -n | tail -n 1"
  return `/static/${(await box.sh(find)).replace(/^\d+ /, '').replace(/\.gz$/, '')}`
}

const kill = async (box: Box): Promise<number> => {
  const node = '/usr/local/lib/supervisor/node'
  const port = await box.sh('echo $PORT')
  return Number(await box.exec(node, '--input-type=module', '-e', script, 'nginx', port))
}

type Figures = { readonly door: number[]; readonly bare: number[] }

const throughputRow = (figure: string, { door, bare }: Figures, least: number, note: string): Row => {
  const ratio = median(door) / median(bare)
  return {
    figure,
    unit: '/s',
    cells: { ours: door },
    bar: `≥ ${least} × without the door`,
    met: ratio >= least,
    note: `${ratio.toFixed(2)} ×; without the door ${showNumber(median(bare), '/s')}${note}`,
  }
}

/**
 * The web server in front of Mathesar: what it costs a page, what it gives static files, and how soon it is
 * back. Without its program in the image Mathesar has the port itself; the two take turns.
 */
export const measureDoor = async (bench: Bench): Promise<{ readonly rows: readonly Row[] }> => {
  const start = async (run: readonly string[]): Promise<Box> =>
    await bench.box(peers.ours, { volume: await bench.preparedVolume(), run })
  const boxes = { door: await start([]), bare: await start(['--tmpfs', '/usr/sbin']) }
  const [pages, files]: [Figures, Figures] = [
    { door: [], bare: [] },
    { door: [], bare: [] },
  ]
  const kills: number[] = []
  try {
    for (const box of Object.values(boxes)) {
      await box.run()
      await box.page()
    }
    const path = await staticPath(boxes.door)
    const forMs = bench.quick ? 1000 : 8000
    for (let run = -1; run < bench.runs; run++) {
      for (const name of ['door', 'bare'] as const) {
        const { port } = boxes[name]
        const load = { clients, forMs: run < 0 ? 1000 : forMs } // The first is to warm up.
        const page = await measureThroughput({ port, path: '/auth/login/', statuses: [200, 302] }, load)
        const file = await measureThroughput({ port, path, statuses: [200] }, load)
        if (run < 0) continue
        pages[name].push(page)
        files[name].push(file)
        bench.say(
          `throughput ${run + 1} of ${bench.runs}, ${name === 'door' ? 'with' : 'without'} the door: ` +
            `${Math.round(page)} pages/s, ${Math.round(file)} files/s`,
        )
      }
    }
    for (let run = 0; run < bench.runs; run++) {
      kills.push(await kill(boxes.door))
      await delay(1000)
    }
    return {
      rows: [
        throughputRow('`/auth/login/` by the door', pages, 0.97, ''),
        throughputRow('static files by the door', files, 2, `; ${path}`),
        {
          figure: 'a killed web server serves again',
          unit: 'ms',
          cells: { ours: kills },
          bar: '≤ 300 ms',
          met: Math.max(...kills) <= 300,
          note: 'all processes of nginx killed, until a health probe is answered by it',
        },
      ],
    }
  } finally {
    for (const box of Object.values(boxes)) await box.remove().catch(() => {})
  }
}
