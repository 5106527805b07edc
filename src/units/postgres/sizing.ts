/** What the container has: bytes of memory that it may use, bytes of /dev/shm, processors. */
export type Machine = {
  readonly memoryBytes: number
  readonly shmBytes: number
  readonly cpus: number
  /** That of the supervisor, as the container was started with it: see `oomScores`. */
  readonly oomScoreAdj: number
}

const MiB = 1024 * 1024
const clamp = (value: number, low: number, high: number): number =>
  Math.min(high, Math.max(low, Math.floor(value)))

/** Gunicorn workers: about 150 MiB each beside 300 MiB for Postgres and the supervisor; two a processor, 1 to 8. */
export const fitWorkers = ({ memoryBytes, cpus }: Machine): number =>
  clamp((memoryBytes / MiB - 300) / 150, 1, clamp(cpus * 2, 1, 8))

/**
 * When memory runs out, the kernel kills the process with the highest score: its share of the memory in thousandths
 * plus oom_score_adj, at most 1000 (proc_pid_oom_score_adj(5)). So what serves one request goes before what keeps a
 * service up, and the supervisor goes last. Raising the value needs no privilege.
 */
export const oomScores = (supervisor: number): { readonly service: number; readonly worker: number } => ({
  service: Math.min(1000, supervisor + 100),
  worker: Math.min(1000, supervisor + 200),
})

/**
 * Postgres parameters that fit the container. Parallel queries and parallel maintenance share memory through /dev/shm, which is
 * 64 MiB in Docker: beyond it they fail with "could not resize shared memory segment", so they are held below it.
 */
export const fitPostgres = ({ memoryBytes, shmBytes, cpus }: Machine): Readonly<Record<string, string>> => {
  const shm = shmBytes / MiB
  const sharedBuffers = clamp(memoryBytes / MiB / 8, 16, 1024)
  return {
    shared_buffers: `${sharedBuffers}MB`,
    effective_cache_size: `${clamp(memoryBytes / MiB / 2, 64, 65536)}MB`,
    maintenance_work_mem: `${clamp(Math.min(memoryBytes / MiB / 16, shm / 4 || 16), 16, 256)}MB`,
    max_worker_processes: `${clamp(cpus * 2, 4, 16)}`,
    max_parallel_workers_per_gather: shm < 32 ? '0' : `${clamp(cpus / 2, 0, 2)}`,
    max_parallel_maintenance_workers: shm < 128 ? '0' : `${clamp(cpus / 2, 0, 2)}`,
    dynamic_shared_memory_type: shm < 16 ? 'mmap' : 'posix',
  }
}
