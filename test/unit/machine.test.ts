import { createHash, createHmac } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { compareMigrations } from '../../src/units/mathesar/applied.ts'
import { exitNumber, inWords } from '../../src/core/outcome.ts'
import { scramVerifier } from '../../src/units/postgres/scram.ts'
import { fitPostgres, fitWorkers } from '../../src/units/postgres/sizing.ts'

const MiB = 1024 * 1024
const machine = (memoryMiB: number, shmMiB: number, cpus: number) => ({
  memoryBytes: memoryMiB * MiB,
  shmBytes: shmMiB * MiB,
  cpus,
  oomScoreAdj: 0,
})

describe('the end of a process', () => {
  test.each([
    [{ code: 0, signal: null }, 0, 'ended in order (exit code 0)'],
    [{ code: 3, signal: null }, 3, 'failed with exit code 3'],
    [{ code: null, signal: 'SIGTERM' }, 143, 'was ended by SIGTERM'],
    [{ code: null, signal: 'SIGKILL' }, 137, 'was killed (SIGKILL): by hand, or for want of memory'],
    [{ code: null, signal: 'SIGSEGV' }, 139, 'was ended by SIGSEGV'],
  ] as const)('%j is %d, %s', (outcome, number, words) => {
    expect(exitNumber(outcome)).toBe(number)
    expect(inWords(outcome)).toBe(words)
  })

  test('is no success when nobody knows it', () => {
    expect(exitNumber({ code: null, signal: null })).toBe(1)
  })
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

describe('migrations', () => {
  const image = ['auth.0001_initial', 'mathesar.0001_initial', 'mathesar.0002_role']

  test('are all missing in an empty database', () => {
    expect(compareMigrations(image, [])).toEqual({ missing: image, ahead: [] })
  })

  test('are done when the database has them, in any order', () => {
    expect(compareMigrations(image, image.toReversed())).toEqual({ missing: [], ahead: [] })
  })

  test('that are missing are named in the order of the image', () => {
    expect(compareMigrations(image, ['auth.0001_initial'])).toEqual({
      missing: ['mathesar.0001_initial', 'mathesar.0002_role'],
      ahead: [],
    })
  })

  test('of a newer Mathesar are ahead', () => {
    expect(compareMigrations(image, [...image, 'mathesar.0003_later'])).toEqual({
      missing: [],
      ahead: ['mathesar.0003_later'],
    })
  })

  test('of apps that the image does not know are nobody’s business', () => {
    expect(compareMigrations(image, [...image, 'mathesar_plugin.0001_initial', 'other.0007_x'])).toEqual({
      missing: [],
      ahead: [],
    })
  })
})

describe('a SCRAM verifier', () => {
  const salt = 'W22ZaJ0SNY7soEsUEjb6gQ=='
  const parts = (verifier: string) =>
    /^SCRAM-SHA-256\$(\d+):([^$:]+)\$([^$:]+):([^$:]+)$/.exec(verifier)!.slice(1)

  test('proves the exchange of RFC 7677', () => {
    const nonce = 'rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0'
    const message = `n=user,r=rOprNGfwEbeRWgbNEkqO,r=${nonce},s=${salt},i=4096,c=biws,r=${nonce}`
    const [iterations, kept, storedKey, serverKey] = parts(
      scramVerifier('pencil', Buffer.from(salt, 'base64'), 4096),
    )
    expect([iterations, kept]).toEqual(['4096', salt])
    const sign = (key: string): Buffer =>
      createHmac('sha256', Buffer.from(key, 'base64')).update(message).digest()
    expect(sign(serverKey!).toString('base64')).toBe('6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
    const proof = Buffer.from('dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=', 'base64')
    const clientKey = sign(storedKey!).map((byte, index) => byte ^ proof[index]!)
    expect(createHash('sha256').update(clientKey).digest('base64')).toBe(storedKey)
  })

  test('is the same for the same salt, another for another password', () => {
    const fixed = Buffer.from(salt, 'base64')
    expect(scramVerifier('pencil', fixed)).toBe(scramVerifier('pencil', fixed))
    expect(scramVerifier('pencils', fixed)).not.toBe(scramVerifier('pencil', fixed))
  })

  test('has a salt of its own and never the password', () => {
    const verifier = scramVerifier('pencil')
    expect(verifier).not.toBe(scramVerifier('pencil'))
    expect(verifier).not.toContain('pencil')
    expect(
      parts(verifier)
        .map((part) => Buffer.from(part, 'base64').length)
        .slice(1),
    ).toEqual([16, 32, 32])
  })
})
