import { MiB } from '../../core/amounts.ts'
import type { Machine } from '../place.ts'

const clamp = (value: number, low: number, high: number): number =>
  Math.min(high, Math.max(low, Math.floor(value)))

/**
 * Postgres parameters that fit the container. Parallel queries and parallel maintenance share memory through
 * /dev/shm, which is 64 MiB in Docker: beyond it they fail with "could not resize shared memory segment",
 * so they are held below it.
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
    huge_pages: 'off', // At these sizes they gain nothing, and a container may not have those of the host.
    dynamic_shared_memory_type: shm < 16 ? 'mmap' : 'posix',
  }
}
