import { Problem } from '../../scripts/prepare.ts'
import type { Bench } from '../bench.ts'
import { type Box, peers } from '../peers.ts'
import type { Row } from '../row.ts'
import { median } from '../statistics.ts'

type Way = 'ours' | 's6' | 'supervisord'
type Flow = {
  readonly lines: number
  /** Seconds for which the reader takes nothing. */ readonly stall: number
}

/**
 * Shell scripts that run a service of many lines under each, and count what comes out: no Docker in between.
 */
const scripts: Readonly<Record<Way, (flow: Flow) => string>> = {
  // Our supervisor beside, not as PID 1: its Mathesar is the service that talks.
  // Postgres is up before it begins.
  ours: ({ lines, stall }) => `
mkdir -p /tmp/talk; printf '#!/bin/bash\\nexec /bench/bin/produce ${lines} 4\\n' > /tmp/talk/python3
chmod 755 /tmp/talk/python3
rm -f /tmp/pipe; mkfifo /tmp/pipe
/bench/bin/count ${stall} < /tmp/pipe & counter=$!
export SUPERVISOR_DATA=/tmp/data SUPERVISOR_RUN=/tmp/run SUPERVISOR_PYTHON_BIN=/tmp/talk
supervisor run > /tmp/pipe 2>&1 & supervisor=$!
wait $counter; kill $supervisor; wait $supervisor || :`,
  s6: ({ lines, stall }) => `
rm -f /tmp/pipe /tmp/talk.pipe; mkfifo /tmp/pipe /tmp/talk.pipe
/bench/bin/count ${stall} < /tmp/pipe & counter=$!
s6-log pmathesar: 1 < /tmp/talk.pipe > /tmp/pipe & log=$!
/bench/bin/produce ${lines} 1 > /tmp/talk.pipe & service=$!
wait $counter; kill -KILL $log $service; wait`,
  supervisord: ({ lines, stall }) => `
cat > /tmp/talk.conf <<END
[supervisord]
nodaemon=true
user=root
logfile=/dev/null
logfile_maxbytes=0
pidfile=/tmp/talk.pid
[program:mathesar]
command=/bench/bin/produce ${lines} 2
stopasgroup=true
stdout_logfile=/dev/fd/3
stdout_logfile_maxbytes=0
END
rm -f /tmp/pipe; mkfifo /tmp/pipe
/bench/bin/count ${stall} < /tmp/pipe & counter=$!
/opt/supervisord/bin/supervisord -c /tmp/talk.conf 3> /tmp/pipe > /dev/null & supervisor=$!
wait $counter; kill $supervisor; wait $supervisor || :`,
}

const ways = ['ours', 's6', 'supervisord'] as const
const many = 2_000_000
// With their names in front, 30,000 lines are 3 MB: less than the 4 MiB that our supervisor keeps.
const stalled: Flow = { lines: 30_000, stall: 7 }

type Outcome = { readonly rate: number; readonly lost: number }

const measureFlow = async (box: Box, way: Way, flow: Flow): Promise<Outcome> => {
  const output = await box.sh(scripts[way](flow))
  const [, lines, seconds] = /^(\d+) ([\d.]+)$/m.exec(output)?.map(Number) ?? []
  if (lines === undefined || seconds === undefined) throw new Problem(`nothing was counted: ${output}`)
  return { rate: lines / seconds, lost: flow.lines - lines }
}

/** Lines a second that pass through each supervisor, and those that are lost. */
export const measureLogs = async (bench: Bench): Promise<{ readonly rows: readonly Row[] }> => {
  const flows: Record<Way, Outcome[]> = { ours: [], s6: [], supervisord: [] }
  const slow: Record<Way, Outcome[]> = { ours: [], s6: [], supervisord: [] }
  const box = await bench.box(peers.tini, {
    volume: await bench.preparedVolume(),
    command: ['sleep', '3600'],
  })
  try {
    await box.run()
    for (let run = 0; run < bench.runs; run++) {
      for (const way of ways) flows[way].push(await measureFlow(box, way, { lines: many, stall: 0 }))
      const [own, s6, supervisord] = ways.map((way) => Math.round(flows[way].at(-1)!.rate))
      bench.say(`log ${run + 1}: ours ${own} lines a second, s6-log ${s6}, supervisord ${supervisord}`)
    }
    bench.say('log: a reader that stalls …')
    for (const way of ways) slow[way].push(await measureFlow(box, way, stalled))
  } finally {
    await box.remove().catch(() => {})
  }
  const cells = (of: Record<Way, readonly Outcome[]>, figure: keyof Outcome): Row['cells'] =>
    Object.fromEntries(ways.map((way) => [way, of[way].map((outcome) => outcome[figure])]))
  const [own, s6] = [cells(flows, 'rate').ours!, cells(flows, 'rate').s6!]
  const none = (of: readonly Outcome[]): boolean => of.every(({ lost }) => lost === 0)
  return {
    rows: [
      {
        figure: 'log lines with their name in front',
        unit: '/s',
        cells: cells(flows, 'rate'),
        bar: "≥ s6-log's",
        met: median(own) >= median(s6),
        note: `${(median(own) / median(s6)).toFixed(1)} × s6-log; supervisord puts no name in front`,
      },
      {
        figure: 'log lines lost',
        unit: '',
        cells: cells(flows, 'lost'),
        bar: '0',
        met: none(flows.ours),
        note: `of ${many.toLocaleString('en')}`,
      },
      {
        figure: 'log lines lost when the reader stalls',
        unit: '',
        cells: cells(slow, 'lost'),
        bar: '0 up to the stated buffer of 4 MiB',
        met: none(slow.ours),
        note:
          `of ${stalled.lines.toLocaleString('en')} lines (3 MB), ` +
          'said at once while the reader takes nothing for 3 s',
      },
    ],
  }
}
