import type { Bench } from '../bench.ts'
import { peers } from '../peers.ts'
import type { Row } from '../row.ts'
import { median } from '../statistics.ts'

/** Shell scripts that run a service of many lines under each, and count what comes out: no Docker in between. */
const scripts = {
  // Our supervisor beside, not as PID 1: its Mathesar is the service that talks. Postgres is up before it begins.
  ours: (count: number) => `
mkdir -p /tmp/talk; printf '#!/bin/bash\\nexec /bench/bin/produce ${count} 4\\n' > /tmp/talk/python3; chmod 755 /tmp/talk/python3
rm -f /tmp/pipe; mkfifo /tmp/pipe
/bench/bin/count < /tmp/pipe & counter=$!
SUPERVISOR_DATA=/tmp/data SUPERVISOR_RUN=/tmp/run SUPERVISOR_PYTHON_BIN=/tmp/talk supervisor run > /tmp/pipe 2>&1 & supervisor=$!
wait $counter; kill $supervisor; wait $supervisor || :`,
  s6: (count: number) => `/bench/bin/produce ${count} 1 | s6-log pmathesar: 1 | /bench/bin/count; kill $(jobs -p) 2>/dev/null || :`,
  supervisord: (count: number) => `
cat > /tmp/talk.conf <<END
[supervisord]
nodaemon=true
user=root
logfile=/dev/null
logfile_maxbytes=0
pidfile=/tmp/talk.pid
[program:mathesar]
command=/bench/bin/produce ${count} 2
stopasgroup=true
stdout_logfile=/dev/fd/3
stdout_logfile_maxbytes=0
END
rm -f /tmp/pipe; mkfifo /tmp/pipe
/bench/bin/count < /tmp/pipe & counter=$!
/opt/supervisord/bin/supervisord -c /tmp/talk.conf 3> /tmp/pipe > /dev/null & supervisor=$!
wait $counter; kill $supervisor; wait $supervisor || :`,
} as const

const counts = { ours: 400_000, s6: 400_000, supervisord: 100_000 } as const

/** Lines a second that pass through each supervisor, and those that are lost. */
export const measureLogs = async (bench: Bench): Promise<{ readonly rows: readonly Row[] }> => {
  const rates: { -readonly [name in keyof typeof scripts]?: number[] } = {}
  const lost: typeof rates = {}
  const box = await bench.box(peers.tini, { volume: await bench.preparedVolume(), command: ['sleep', '3600'] })
  try {
    await box.run()
    for (let run = 0; run < Math.min(bench.runs, 3); run++) {
      for (const name of ['ours', 's6', 'supervisord'] as const) {
        const [count, seconds] = (await box.sh(scripts[name](counts[name]))).split('\n').find((line) => /^\d+ [\d.]+$/.test(line))!.split(' ').map(Number) as [number, number]
        ;(rates[name] ??= []).push(count / seconds)
        ;(lost[name] ??= []).push(counts[name] - count)
      }
      bench.say(`log ${run + 1}: ours ${Math.round(rates.ours!.at(-1)!)} lines a second, s6-log ${Math.round(rates.s6!.at(-1)!)}, supervisord ${Math.round(rates.supervisord!.at(-1)!)}`)
    }
  } finally {
    await box.remove().catch(() => {})
  }
  return { rows: [
    { figure: 'log lines with their name in front', unit: '/s', cells: rates, bar: "≥ s6-log's", met: median(rates.ours!) >= median(rates.s6!), note: 'supervisord puts no name in front' },
    { figure: 'log lines lost', unit: '', cells: lost, bar: '0', met: lost.ours!.every((count) => count === 0) },
  ] }
}
