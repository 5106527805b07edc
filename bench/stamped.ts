// A script for PID 1 of our image that becomes the supervisor,
// and tells how long it took from there to its first child.

/** In bash: nanoseconds of CPU that PID 1 has used. */
const cpuOfPid1 =
  'cpu=0; for file in /proc/1/task/*/schedstat; do read -r used rest < "$file"; cpu=$((cpu + used)); done'

/**
 * Runs `node -e 0` so many times, then the supervisor. The stamps come in the log:
 * the clock in microseconds or seconds, and CPU.
 */
export const stampedSupervisor = (nodeRuns: number): readonly string[] => [
  '/bin/bash',
  '-euc',
  `
mkdir -p /tmp/first
for program in /usr/lib/postgresql/17/bin/postgres /usr/local/bin/python3; do
  printf '#!/bin/bash\\nat=$EPOCHREALTIME; %s; echo "bench: first child $at $cpu"\\nexec %s "$@"\\n' \\
    '${cpuOfPid1}' "$program" > "/tmp/first/\${program##*/}"
  chmod 755 "/tmp/first/\${program##*/}"
done
export SUPERVISOR_POSTGRES_BIN=/tmp/first SUPERVISOR_PYTHON_BIN=/tmp/first
TIMEFORMAT='%U %S'
for ((run = 0; run < ${nodeRuns}; run++)); do
  began=$EPOCHREALTIME; used=$({ time /usr/local/lib/supervisor/node -e 0; } 2>&1); ended=$EPOCHREALTIME
  echo "bench: node $(( \${ended/./} - \${began/./} )) $used"
done
${cpuOfPid1}
echo "bench: PID 1 $EPOCHREALTIME $cpu"
exec /usr/local/bin/supervisor run
`,
]

export type Share = {
  readonly shareMs: number
  readonly nodeMs: readonly number[]
  /** The same in CPU time, which a busy machine leaves as it is. */
  readonly shareCpuMs: number
  readonly nodeCpuMs: readonly number[]
}

/** From PID 1 to its first child in the last boot of the log, once its lines are all there. */
export const readShare = (log: string): Share | undefined => {
  const at = log.lastIndexOf('bench: PID 1 ')
  const [before, boot] = [log.slice(0, Math.max(0, at)), log.slice(Math.max(0, at))]
  const pid1 = /bench: PID 1 (\S+)(?: (\d+))?/.exec(boot)
  const [first] = [...boot.matchAll(/bench: first child (\S+)(?: (\d+))?/g)].sort(
    (a, b) => Number(a[1]) - Number(b[1]),
  )
  if (pid1 === null || first === undefined) return undefined
  const nodes = [
    ...before
      .slice(Math.max(0, before.lastIndexOf('bench: first child ')))
      .matchAll(/bench: node (\d+) (\S+) (\S+)/g),
  ]
  return {
    shareMs: (Number(first[1]) - Number(pid1[1])) * 1000,
    nodeMs: nodes.map(([, microseconds]) => Number(microseconds) / 1000),
    shareCpuMs: (Number(first[2]) - Number(pid1[2])) / 1e6,
    nodeCpuMs: nodes.map(([, , user, system]) => (Number(user) + Number(system)) * 1000),
  }
}
