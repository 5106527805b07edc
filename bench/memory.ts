// The memory of a whole container.
import type { Box } from './peers.ts'

const script = `
cd /sys/fs/cgroup
if [ -e memory/memory.stat ]; then cd memory; names='total_(rss|shmem)'; else names='anon|shmem'; fi
awk "/^($names) / { sum += \\$2 } END { print sum }" memory.stat`

/** What its control group holds in MB, without the cache of files: memory of the processes, and shared. */
export const memoryOf = async (box: Box): Promise<number> => Number(await box.sh(script)) / 1e6
