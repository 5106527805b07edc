import type { Bench } from '../bench.ts'
import { type Box, type PeerName, peerNames, peers } from '../peers.ts'
import type { Row } from '../row.ts'
import { median, show } from '../statistics.ts'
import { readTimeline, type Timeline } from '../timeline.ts'

type Kind = 'first' | 'second'
export type Boots = Readonly<Record<Kind, { readonly [name in PeerName]?: readonly Timeline[] }>>

/** Who boots in a run. The two that are closest, and compared most, take two turns. */
const turns: readonly PeerName[] = ['ours', 'floor', 'mathesar', 'supervisord', 'floor', 'ours', 's6', 'tini']

type Boot = { readonly timeline: Timeline; readonly firstAnswerMs: number }

/** One container on nothing and again on what it left: when did its page answer, and what took the time? */
const bootTwice = async (box: Box): Promise<Record<Kind, Boot>> => {
  const boot = async (start: () => Promise<string>): Promise<Boot> => {
    const since = Date.now()
    const starting = start()
    starting.catch(() => {})
    const answered = box.page()
    answered.catch(() => {})
    await starting
    const { any, page } = await answered
    return { timeline: await readTimeline(box, since, page), firstAnswerMs: any - since }
  }
  const first = await boot(box.run)
  await box.stop()
  const second = await boot(box.startAgain)
  await box.stop()
  return { first, second }
}

/** The first answer of ours, which is a page that tells how far the boot is. */
type FirstAnswers = Record<Kind, number[]>

const takeTurns = async (
  bench: Bench,
): Promise<{ readonly boots: Boots; readonly firstAnswers: FirstAnswers }> => {
  const boots: Record<Kind, { [name in PeerName]?: Timeline[] }> = { first: {}, second: {} }
  const firstAnswers: FirstAnswers = { first: [], second: [] }
  const boxes: Box[] = []
  try {
    for (let run = 0; run < bench.runs; run++) {
      // Each run begins with another peer: none is always the one after the slowest.
      for (const name of [...turns.slice(run % turns.length), ...turns.slice(0, run % turns.length)]) {
        // The floor is what is ready already.
        const box = await bench.box(
          peers[name],
          name === 'floor' ? { volume: await bench.preparedVolume() } : {},
        )
        boxes.push(box)
        const { first, second } = await bootTwice(box)
        ;(boots.first[name] ??= []).push(first.timeline)
        ;(boots.second[name] ??= []).push(second.timeline)
        if (name === 'ours') {
          firstAnswers.first.push(first.firstAnswerMs)
          firstAnswers.second.push(second.firstAnswerMs)
        }
        bench.say(
          `boot ${run + 1} of ${bench.runs}: ${peers[name].title} ${first.timeline.at(-1)} ms, ` +
            `then ${second.timeline.at(-1)} ms`,
        )
      }
    }
  } finally {
    // Not before: for minutes ext4 looks at each file that was deleted before it makes a new one,
    // and a cluster is 1,500 of them.
    for (const box of boxes) await box.remove().catch(() => {})
  }
  return { boots, firstAnswers }
}

/** From `docker run` or `docker start` to the page that answers 200. */
export const measureBoot = async (
  bench: Bench,
): Promise<{ readonly rows: readonly Row[]; readonly boots: Boots }> => {
  const { boots, firstAnswers } = await takeTurns(bench)
  const secondsOf = (kind: Kind, name: PeerName): readonly number[] =>
    boots[kind][name]!.map((timeline) => timeline.at(-1)! / 1000)
  const row = (kind: Kind, figure: string, floorTimes: number, ownTimes: number): Row => {
    const own = median(secondsOf(kind, 'ours'))
    const floor = median(secondsOf(kind, 'floor'))
    const mathesar = median(secondsOf(kind, 'mathesar'))
    return {
      figure,
      unit: 's',
      cells: Object.fromEntries(peerNames.map((name) => [name, secondsOf(kind, name)])),
      bar: `≤ ${floorTimes} × the floor; ≥ ${ownTimes} × faster than Mathesar's own way`,
      met: own <= floorTimes * floor && mathesar >= ownTimes * own,
      note:
        `${(own / floor).toFixed(2)} × the floor; ${(mathesar / own).toFixed(1)} × faster than ` +
        `Mathesar's own way`,
    }
  }
  const shareOfFloor = (kind: Kind): number =>
    median(firstAnswers[kind]) / 1000 / median(secondsOf(kind, 'floor'))
  return {
    rows: [
      row('first', 'first boot: `docker run` on nothing → page answers 200', 0.95, 10),
      row('second', 'second boot: `docker start` → page answers 200', 0.85, 7),
      {
        figure: 'second boot: `docker start` → first answer of any kind',
        unit: 'ms',
        cells: { ours: firstAnswers.second },
        bar: '≤ 0.35 × the floor',
        met: Math.max(shareOfFloor('first'), shareOfFloor('second')) <= 0.35,
        note:
          `${shareOfFloor('second').toFixed(2)} × the floor; of a first boot ` +
          `${show(firstAnswers.first, 'ms')}, ${shareOfFloor('first').toFixed(2)} × the floor`,
      },
    ],
    boots,
  }
}
