import type { Bench } from '../bench.ts'
import { type Box, peers } from '../peers.ts'
import type { Row } from '../row.ts'
import { median } from '../statistics.ts'
import { timeScript } from '../time-script.ts'

/**
 * How long a command takes, from its first process to its end, by a clock in the container: `docker exec`
 * takes longer than it, and one time by as much more than another.
 */
const timed = async (box: Box, ...argv: readonly string[]): Promise<number> =>
  Number(await box.exec('bash', '-euc', timeScript, 'bash', ...argv)) / 1000

export const measureCommands = async (bench: Bench): Promise<{ readonly rows: readonly Row[] }> => {
  const commands = {
    status: ['supervisor', 'status'],
    health: ['supervisor', 'health'],
    supervisorctl: ['/opt/supervisord/bin/supervisorctl', '-c', '/bench/supervisord.conf', 'status'],
  } as const
  const took: Record<keyof typeof commands, number[]> = { status: [], health: [], supervisorctl: [] }
  await bench.withBox(peers.ours, { volume: await bench.preparedVolume() }, async (ours) =>
    bench.withBox(peers.supervisord, { volume: await bench.preparedVolume() }, async (supervisord) => {
      for (let run = 0; run < (bench.quick ? 5 : 15); run++) {
        for (const name of ['status', 'health', 'supervisorctl'] as const) {
          const box = name === 'supervisorctl' ? supervisord : ours
          took[name].push(await timed(box, ...commands[name]))
        }
      }
    }),
  )
  return {
    rows: [
      {
        figure: '`supervisor status` (supervisord: `supervisorctl status`)',
        unit: 'ms',
        cells: { ours: took.status, supervisord: took.supervisorctl },
        bar: '≤ 60 ms',
        met: median(took.status) <= 60,
        note: 'in the container: without what `docker exec` adds',
      },
      {
        figure: '`supervisor health`',
        unit: 'ms',
        cells: { ours: took.health },
        bar: '≤ 10 ms',
        met: median(took.health) <= 10,
        note: 'the same',
      },
    ],
  }
}
