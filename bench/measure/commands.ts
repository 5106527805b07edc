import type { Bench } from '../bench.ts'
import { type Box, peers } from '../peers.ts'
import type { Row } from '../row.ts'
import { median } from '../statistics.ts'

const timed = async (box: Box, ...argv: readonly string[]): Promise<number> => {
  const began = performance.now()
  await box.exec(...argv)
  return performance.now() - began
}

/**
 * How long a command takes by `docker exec`, less what `docker exec true` takes: both in turn,
 * as the machine has its moods.
 */
export const measureCommands = async (bench: Bench): Promise<{ readonly rows: readonly Row[] }> => {
  const commands = {
    status: ['supervisor', 'status'],
    health: ['supervisor', 'health'],
    supervisorctl: ['/opt/supervisord/bin/supervisorctl', '-c', '/bench/supervisord.conf', 'status'],
  } as const
  const over: Record<keyof typeof commands, number[]> = { status: [], health: [], supervisorctl: [] }
  await bench.withBox(peers.ours, { volume: await bench.preparedVolume() }, async (ours) =>
    bench.withBox(peers.supervisord, { volume: await bench.preparedVolume() }, async (supervisord) => {
      for (let run = 0; run < (bench.quick ? 5 : 15); run++) {
        for (const name of ['status', 'health', 'supervisorctl'] as const) {
          const box = name === 'supervisorctl' ? supervisord : ours
          const nothing = await timed(box, 'true')
          over[name].push((await timed(box, ...commands[name])) - nothing)
        }
      }
    }),
  )
  return {
    rows: [
      {
        figure: '`supervisor status` (supervisord: `supervisorctl status`)',
        unit: 'ms',
        cells: { ours: over.status, supervisord: over.supervisorctl },
        bar: '≤ 60 ms',
        met: median(over.status) <= 60,
        note: '`docker exec` of it, less `docker exec true`',
      },
      {
        figure: '`supervisor health`',
        unit: 'ms',
        cells: { ours: over.health },
        bar: '≤ 10 ms',
        met: median(over.health) <= 10,
        note: median(over.health) < 3 ? 'the same; it is lost in the noise' : 'the same',
      },
    ],
  }
}
