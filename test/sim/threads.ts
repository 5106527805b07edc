import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { build } from 'esbuild'
import { addSummary, emptySummary, type Summary } from './batch.ts'
import type { Share } from './worker.ts'

export type Work = {
  readonly first: number
  readonly count: number
  readonly workers: number
  readonly onProgress?: (sum: Summary) => void
}

/**
 * What a run makes is garbage soon after: in a young generation of this size most of it is never copied, and
 * little leaves the processor's cache.
 */
const resourceLimits = { maxYoungGenerationSizeMb: 64 }

/**
 * The worker and all of ours that it imports, in one file: types are stripped once, and nothing is looked
 * up from one module to the next. It lies where the packages are found.
 */
const bundleWorker = async (): Promise<string> => {
  const outfile = fileURLToPath(new URL(`../../.cache/sim-${process.pid}.mjs`, import.meta.url))
  await build({
    entryPoints: [fileURLToPath(new URL('worker.ts', import.meta.url))],
    outfile,
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node24',
    logLevel: 'warning',
  })
  return outfile
}

const runShare = (file: string, share: Share, onReport: (summary: Summary) => void): Promise<void> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(file, { workerData: share, resourceLimits })
    worker.on('message', onReport).on('error', reject)
    worker.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`a worker exited with ${code}`))))
  })

/** Runs many seeds on several threads. */
export const runSeeds = async ({ first, count, workers, onProgress }: Work): Promise<Summary> => {
  const sum = emptySummary()
  const last = first + count - 1
  const shares = Array.from({ length: workers }, (_, index) => ({
    first: first + index,
    last,
    step: workers,
  }))
  const file = await bundleWorker()
  const onReport = (summary: Summary): void => {
    addSummary(sum, summary)
    onProgress?.(sum)
  }
  try {
    await Promise.all(shares.map((share) => runShare(file, share, onReport)))
  } finally {
    rmSync(file)
  }
  return sum
}
