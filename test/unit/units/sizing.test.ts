import { describe, expect, test } from 'vitest'
import { fitThreads, fitWorkers } from '../../../src/units/mathesar/sizing.ts'
import type { Machine } from '../../../src/units/place.ts'
import { fitPostgres } from '../../../src/units/postgres/sizing.ts'

const MiB = 1024 * 1024
const machine = (memoryMiB: number, shmMiB: number, cpus: number): Machine => ({
  memoryBytes: memoryMiB * MiB,
  shmBytes: shmMiB * MiB,
  cpus,
  processes: Number.POSITIVE_INFINITY,
  oomScoreAdj: 0,
})

describe('Postgres', () => {
  test("keeps parallel work below Docker's 64 MiB of shared memory", () => {
    expect(fitPostgres(machine(8192, 64, 8))).toEqual({
      shared_buffers: '1024MB',
      effective_cache_size: '4096MB',
      maintenance_work_mem: '16MB',
      max_worker_processes: '16',
      max_parallel_workers_per_gather: '2',
      max_parallel_maintenance_workers: '0',
      huge_pages: 'off',
      dynamic_shared_memory_type: 'posix',
    })
  })

  test('fits 512 MB', () => {
    expect(fitPostgres(machine(512, 64, 1))).toEqual({
      shared_buffers: '64MB',
      effective_cache_size: '256MB',
      maintenance_work_mem: '16MB',
      max_worker_processes: '4',
      max_parallel_workers_per_gather: '0',
      max_parallel_maintenance_workers: '0',
      huge_pages: 'off',
      dynamic_shared_memory_type: 'posix',
    })
  })

  test('stays within bounds on a huge machine', () => {
    expect(fitPostgres(machine(4_000_000, 2_000_000, 256))).toEqual({
      shared_buffers: '1024MB',
      effective_cache_size: '65536MB',
      maintenance_work_mem: '256MB',
      max_worker_processes: '16',
      max_parallel_workers_per_gather: '2',
      max_parallel_maintenance_workers: '2',
      huge_pages: 'off',
      dynamic_shared_memory_type: 'posix',
    })
  })

  test('does without shared memory where there is none', () => {
    expect(fitPostgres(machine(2048, 0, 4))).toMatchObject({
      maintenance_work_mem: '16MB',
      max_parallel_workers_per_gather: '0',
      max_parallel_maintenance_workers: '0',
      dynamic_shared_memory_type: 'mmap',
    })
  })

  test('starts on the least machine', () => {
    expect(fitPostgres(machine(64, 64, 0.1))).toMatchObject({
      shared_buffers: '16MB',
      max_worker_processes: '4',
      max_parallel_workers_per_gather: '0',
    })
  })
})

test.each([
  [128, 1, 1],
  [512, 1, 1],
  [512, 8, 1],
  [1024, 1, 2],
  [1024, 8, 4],
  [8192, 2, 4],
  [4_000_000, 256, 8],
  [8192, 0.5, 1],
])('Mathesar on %d MiB and %d processors has %d workers', (memoryMiB, cpus, workers) => {
  expect(fitWorkers(machine(memoryMiB, 64, cpus))).toBe(workers)
})

test.each([
  [128, 1, 100, 4],
  [256, 1, 100, 5],
  [512, 1, 100, 8],
  [8192, 2, 100, 8],
  [8192, 4, 100, 8],
  [8192, 8, 100, 4],
  [8192, 64, 100, 1],
  [8192, 2, 30, 5],
  [8192, 1, 20, 5],
  [8192, 4, 20, 1],
])(
  '%d MiB, %d workers and %d connections have %d threads a worker',
  (memoryMiB, workers, connections, threads) => {
    expect(fitThreads(machine(memoryMiB, 64, 2), workers, connections)).toBe(threads)
  },
)
