import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Bench } from '../bench.ts'
import { type Box, type PeerName, peers } from '../peers.ts'
import type { Row } from '../row.ts'
import { median } from '../statistics.ts'

const measured = ['ours', 'supervisord', 's6', 'floor'] as const satisfies readonly PeerName[]
const script = readFileSync(join(import.meta.dirname, '../inside/kill.mjs'), 'utf8')

const kill = async (box: Box, ...args: readonly string[]): Promise<number> =>
  Number(await box.exec('/usr/local/lib/supervisor/node', '--input-type=module', '-e', script, ...args))

/**
 * All processes of a service are killed: how long until it serves again? The floor starts what died in the
 * same moment: its own start.
 */
export const measureRecovery = async (bench: Bench): Promise<{ readonly rows: readonly Row[] }> => {
  const mathesar: { [name in (typeof measured)[number]]?: number[] } = {}
  const postgres: typeof mathesar = {}
  const boxes = await Promise.all(
    measured.map(async (name) => ({
      name,
      box: await bench.box(peers[name], { volume: await bench.preparedVolume() }),
    })),
  )
  try {
    for (let run = 0; run < bench.runs; run++) {
      for (const { name, box } of boxes) {
        // A fresh start each time: a service that dies often is rightly started more slowly.
        await (run === 0 ? box.run() : box.startAgain())
        await box.page()
        await delay(500)
        ;(mathesar[name] ??= []).push(await kill(box, 'gunicorn', await box.sh('echo $PORT')))
        await delay(200)
        ;(postgres[name] ??= []).push(await kill(box, 'postgres', box.peer.socket))
        await box.stop()
        bench.say(
          `killed and back ${run + 1} of ${bench.runs}, under ${peers[name].title}: ` +
            `Mathesar ${Math.round(mathesar[name].at(-1)!)} ms, ` +
            `Postgres ${Math.round(postgres[name].at(-1)!)} ms`,
        )
      }
    }
  } finally {
    for (const { box } of boxes) await box.remove().catch(() => {})
  }
  const row = (figure: string, cells: typeof mathesar, note = ''): Row => {
    const over = median(cells.ours!) - median(cells.floor!)
    return {
      figure,
      unit: 'ms',
      cells,
      bar: 'its own start (the floor) + 300 ms',
      met: over <= 300,
      note: `${over >= 0 ? '+' : '−'}${Math.abs(over).toFixed(0)} ms${note}`,
    }
  }
  return {
    rows: [
      row(
        'a killed Mathesar serves again',
        mathesar,
        '; supervisord and s6 run their whole script again, with its look at the migrations',
      ),
      row('a killed Postgres accepts again', postgres),
    ],
  }
}
