import { MiB } from '../../core/amounts.ts'
import type { Machine } from '../place.ts'

/**
 * Gunicorn workers: about 150 MiB each beside 300 MiB for Postgres and the supervisor; two a processor,
 * 1 to 8.
 */
export const fitWorkers = ({ memoryBytes, cpus }: Machine): number => {
  const most = Math.min(8, Math.max(1, Math.floor(cpus * 2)))
  return Math.min(most, Math.max(1, Math.floor((memoryBytes / MiB - 300) / 150)))
}

/** What one request takes while it is answered: its thread, and up to two backends of Postgres. */
const requestMiB = 20

/**
 * Threads of each worker: requests wait for the database most of the time, and then take nothing but memory
 * and two connections, Mathesar's own and one to people's data. `connections` are those that the database
 * accepts.
 */
export const fitThreads = ({ memoryBytes }: Machine, workers: number, connections: number): number => {
  const inMemory = (memoryBytes / MiB - 150) / requestMiB
  const all = Math.min(32, inMemory, (connections - 10) / 2)
  return Math.min(8, Math.max(1, Math.floor(Math.max(4, all) / workers)))
}
