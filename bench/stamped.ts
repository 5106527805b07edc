// A script for PID 1 of our image that becomes the supervisor, and tells how long it took from there to its first child.

/** Runs `node -e 0` so many times, then the supervisor. The stamps come in the log. */
export const stampedSupervisor = (nodeRuns: number): readonly string[] => ['/bin/bash', '-euc', `
mkdir -p /tmp/first
for program in /usr/lib/postgresql/17/bin/postgres /usr/local/bin/python3; do
  printf '#!/bin/bash\\necho "bench: first child $EPOCHREALTIME"\\nexec %s "$@"\\n' "$program" > "/tmp/first/\${program##*/}"
  chmod 755 "/tmp/first/\${program##*/}"
done
export SUPERVISOR_POSTGRES_BIN=/tmp/first SUPERVISOR_PYTHON_BIN=/tmp/first
for ((run = 0; run < ${nodeRuns}; run++)); do
  began=$EPOCHREALTIME; /usr/local/lib/supervisor/node -e 0; ended=$EPOCHREALTIME
  echo "bench: node $(( \${ended/./} - \${began/./} ))"
done
echo "bench: PID 1 $EPOCHREALTIME"
exec /usr/local/bin/supervisor run
`]

export type Share = { readonly shareMs: number; readonly nodeMs: readonly number[] }

/** From PID 1 to its first child in the last boot of the log, once its lines are all there. */
export const readShare = (log: string): Share | undefined => {
  const boot = log.slice(log.lastIndexOf('bench: PID 1 '))
  const pid1 = /bench: PID 1 (\d+\.\d+)/.exec(boot)?.[1]
  const children = [...boot.matchAll(/bench: first child (\d+\.\d+)/g)].map(([, at]) => Number(at))
  if (pid1 === undefined || children.length === 0) return undefined
  const before = log.slice(0, log.lastIndexOf('bench: PID 1 '))
  const nodeMs = [...before.slice(before.lastIndexOf('bench: first child ')).matchAll(/bench: node (\d+)/g)].map(([, microseconds]) => Number(microseconds) / 1000)
  return { shareMs: (Math.min(...children) - Number(pid1)) * 1000, nodeMs }
}
