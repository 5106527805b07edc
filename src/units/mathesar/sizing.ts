import type { Machine } from '../place.ts'

const MiB = 1024 * 1024

/**
 * Gunicorn workers: about 150 MiB each beside 300 MiB for Postgres and the supervisor; two a processor,
 * 1 to 8.
 */
export const fitWorkers = ({ memoryBytes, cpus }: Machine): number => {
  const most = Math.min(8, Math.max(1, Math.floor(cpus * 2)))
  return Math.min(most, Math.max(1, Math.floor((memoryBytes / MiB - 300) / 150)))
}
