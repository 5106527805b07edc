import { setTimeout as delay } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import { type Box, peers } from '../peers.ts'
import type { Row } from '../row.ts'
import { median, show } from '../statistics.ts'

type Column = 'ours' | 'node' | 'supervisord' | 's6'
/** `fresh` is ours after a first boot, whose work may have left more behind. */
type Name = Column | 'fresh'

const healthChecksASecond = 1 / 15

/** What the supervisor is made of: PID 1, and the helpers that s6 keeps beside it. */
const usage = `
for folder in /proc/[0-9]*; do
  case "$(cat "$folder/comm" 2>/dev/null)" in s6-*) ;; *) [ "$folder" = /proc/1 ] || continue ;; esac
  awk '/^Rss:/ { rss = $2 } /^Private_Dirty:/ { dirty = $2 }
    END { print "memory", rss, dirty }' "$folder/smaps_rollup"
  awk '{ sum += $1 } END { printf "cpu %d\\n", sum }' "$folder"/task/*/schedstat
done | awk '$1 == "memory" { rss += $2; dirty += $3 } $1 == "cpu" { cpu += $2 }
  END { printf "%d %d %d\\n", rss, dirty, cpu }'`

type Usage = { readonly rss: number; readonly dirty: number; readonly cpuNs: number }

const readUsage = async (box: Box): Promise<Usage> => {
  const [rss, dirty, cpuNs] = (await box.sh(usage)).split(' ').map(Number) as [number, number, number]
  return { rss: rss * 1.024e-3, dirty: dirty * 1.024e-3, cpuNs }
}

/** CPU seconds of one health check itself, which is no child of PID 1. */
const healthSeconds = async (box: Box): Promise<number> => {
  const times = await box.sh(
    `TIMEFORMAT='%U %S'; { time for ((run = 0; run < 50; run++)); do supervisor health > /dev/null; ` +
      'done; } 2>&1',
  )
  return times.split(' ').reduce((sum, part) => sum + Number(part), 0) / 50
}

type Figures = { [name in Name]?: number[] }

/** A note tells of the fresh one: it has no column. */
const cells = ({ fresh: _, ...others }: Figures): Row['cells'] => others

const createBoxes = async (bench: Bench): Promise<Record<Name, Box>> => ({
  ours: await bench.box(peers.ours, { volume: await bench.preparedVolume() }),
  fresh: await bench.box(peers.ours),
  supervisord: await bench.box(peers.supervisord, { volume: await bench.preparedVolume() }),
  s6: await bench.box(peers.s6, { volume: await bench.preparedVolume() }),
  node: await bench.box(peers.ours, {
    volume: await bench.preparedVolume(),
    command: ['/usr/local/lib/supervisor/node', '-e', 'setInterval(() => {}, 1e9)'],
  }),
})

/**
 * Memory and CPU of supervisors that have nothing to do. All at once: idle ones do not disturb each other.
 */
export const measureIdle = async (bench: Bench): Promise<{ readonly rows: readonly Row[] }> => {
  const seconds = bench.quick ? 10 : 60
  const boxes = await createBoxes(bench)
  const names = Object.keys(boxes) as Name[]
  const rss: Figures = {}
  const dirty: Figures = {}
  const cpu: Figures = {}
  try {
    await Promise.all(
      names.map(async (name) => {
        await boxes[name].run()
        if (name !== 'node') await boxes[name].page()
      }),
    )
    await delay(8000)
    const began: { [name in Name]?: { readonly at: number; readonly usage: Usage } } = {}
    for (const name of names) began[name] = { at: performance.now(), usage: await readUsage(boxes[name]) }
    bench.say(`idle for ${seconds} s …`)
    await delay(seconds * 1000)
    for (const name of names) {
      const { at, usage } = began[name]!
      const now = await readUsage(boxes[name])
      rss[name] = [usage.rss, now.rss]
      dirty[name] = [usage.dirty, now.dirty]
      cpu[name] = [((now.cpuNs - usage.cpuNs) / 1e6 / (performance.now() - at)) * 100]
    }
    const health = (await healthSeconds(boxes.ours)) * healthChecksASecond * 100
    cpu.ours = [cpu.ours![0]! + health]
    const [own, node, other] = [median(rss.ours!), median(rss.node!), median(dirty.supervisord!)]
    return {
      rows: [
        {
          figure: 'memory of the supervisor when idle: RSS',
          unit: 'MB',
          cells: cells(rss),
          bar: '≤ 1.25 × bare Node',
          met: Math.max(own, median(rss.fresh!)) <= 1.25 * node,
          note:
            `${(own / node).toFixed(2)} × bare Node; after a first boot ${show(rss.fresh!, 'MB')}, ` +
            `${(median(rss.fresh!) / node).toFixed(2)} × bare Node`,
        },
        {
          figure: 'the same: private and dirty',
          unit: 'MB',
          cells: cells(dirty),
          bar: "below supervisord's",
          met: Math.max(median(dirty.ours!), median(dirty.fresh!)) < other,
          note: `after a first boot ${show(dirty.fresh!, 'MB')}`,
        },
        {
          figure: 'CPU of the supervisor when idle',
          unit: '%',
          cells: cells(cpu),
          bar: '≤ 0.1 % of a core, health checks included',
          met: cpu.ours[0]! <= 0.1,
          note: `of ours, ${health.toFixed(3)} % are the health checks, one in 15 s; the others have none`,
        },
      ],
    }
  } finally {
    for (const box of Object.values(boxes)) await box.remove().catch(() => {})
  }
}
