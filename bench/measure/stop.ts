import type { Bench } from '../bench.ts'
import { loadUntil } from '../page.ts'
import { type Box, type PeerName, peers } from '../peers.ts'
import type { Row } from '../row.ts'
import { median } from '../statistics.ts'

// Mathesar's own way is left out: it ends gunicorn alone, and Postgres is killed with the container.
const measured = ['ours', 'supervisord', 's6', 'tini', 'floor'] as const satisfies readonly PeerName[]

/** Four sessions of Postgres that would go on for long. */
const connect = async (box: Box): Promise<void> => {
  const psql =
    'psql --quiet --no-psqlrc --tuples-only --no-align --username postgres ' + `--host ${box.peer.socket}`
  await box.sh(`for _ in 1 2 3 4; do ${psql} --command 'SELECT pg_sleep(600)' > /dev/null 2>&1 & done
count="SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'"
until [ "$(${psql} --command "$count")" = 4 ]; do sleep 0.05; done`)
}

const stopOnce = async (box: Box): Promise<number> => {
  await connect(box)
  let stopped: () => void
  const load = loadUntil(
    box.port,
    4,
    new Promise<void>((resolve) => {
      stopped = resolve
    }),
  )
  await new Promise((resolve) => setTimeout(resolve, 700))
  const began = performance.now()
  await box.stop()
  const took = performance.now() - began
  stopped!()
  await load
  return took
}

/** `docker stop` while people use the page and sessions are open. The floor's is the services' own time. */
export const measureStop = async (bench: Bench): Promise<{ readonly rows: readonly Row[] }> => {
  const cells: { [name in (typeof measured)[number]]?: number[] } = {}
  const boxes = await Promise.all(
    measured.map(async (name) => ({
      name,
      box: await bench.box(peers[name], { volume: await bench.preparedVolume() }),
    })),
  )
  try {
    for (let run = 0; run < bench.runs; run++) {
      for (const { name, box } of boxes) {
        await (run === 0 ? box.run() : box.startAgain())
        await box.page()
        ;(cells[name] ??= []).push(await stopOnce(box))
      }
      bench.say(`stop ${run + 1} of ${bench.runs}`)
    }
  } finally {
    for (const { box } of boxes) await box.remove().catch(() => {})
  }
  const over = median(cells.ours!) - median(cells.floor!)
  return {
    rows: [
      {
        figure: '`docker stop`, clients connected',
        unit: 'ms',
        cells,
        bar: "the services' own time (the floor) + ≤ 50 ms",
        met: over <= 50,
        note: `${over >= 0 ? '+' : '−'}${Math.abs(over).toFixed(0)} ms`,
      },
    ],
  }
}
