import { setTimeout as delay } from 'node:timers/promises'
import { Problem } from '../../scripts/prepare.ts'
import type { Bench } from '../bench.ts'
import { docker } from '../docker.ts'
import { type Box, type PeerName, peers } from '../peers.ts'
import type { Row } from '../row.ts'
import { readShare, type Share, stampedSupervisor } from '../stamped.ts'
import { median } from '../statistics.ts'

const measured = ['ours', 'supervisord', 's6', 'tini'] as const satisfies readonly PeerName[]

/** The stamps of the boot that goes on, and its end: what comes after the first child is no matter here. */
const shareOf = async (box: Box, boots: number): Promise<Share> => {
  for (const end = Date.now() + 30_000; Date.now() < end; await delay(50)) {
    const log = await box.logs()
    const share = log.split('bench: PID 1 ').length === boots + 1 ? readShare(log) : undefined
    if (share === undefined) continue
    await delay(100) // The other first child's line may be on its way.
    const sure = readShare(await box.logs())!
    await docker('kill', box.name)
    await docker('wait', box.name)
    return sure
  }
  throw new Problem(`${box.peer.title} started no child within 30 s`)
}

/** The supervisor's own share of a boot: from the start of PID 1 to its first child's first command. */
export const measureShare = async (bench: Bench): Promise<{ readonly rows: readonly Row[] }> => {
  const boxes = await Promise.all(
    measured.map(async (name) => {
      const volume = await bench.preparedVolume()
      return {
        name,
        box: await bench.box(peers[name], {
          volume,
          ...(name === 'ours' ? { command: stampedSupervisor(3) } : {}),
        }),
      }
    }),
  )
  const cells: { [name in (typeof measured)[number] | 'node']?: number[] } = {}
  try {
    for (let run = 0; run < bench.runs * 2; run++) {
      for (const { name, box } of boxes) {
        await (run === 0 ? box.run() : box.startAgain())
        const { shareMs, nodeMs } = await shareOf(box, run + 1)
        ;(cells[name] ??= []).push(shareMs)
        if (name === 'ours') (cells.node ??= []).push(median(nodeMs))
      }
    }
  } finally {
    for (const { box } of boxes) await box.remove().catch(() => {})
  }
  const [own, node, supervisord] = [median(cells.ours!), median(cells.node!), median(cells.supervisord!)]
  return {
    rows: [
      {
        figure: "the supervisor's own share: start of PID 1 → first child spawned",
        unit: 'ms',
        cells,
        bar: "≤ 2.5 × bare `node -e 0`; less than a tenth of supervisord's",
        met: own <= 2.5 * node && own < supervisord / 10,
        note:
          `${(own / node).toFixed(2)} × bare Node; ${(supervisord / own).toFixed(1)} × faster ` +
          'than supervisord',
      },
    ],
  }
}
