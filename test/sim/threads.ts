import { Worker } from 'node:worker_threads'
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

const runShare = (share: Share, onReport: (summary: Summary) => void): Promise<void> =>
  new Promise((resolve, reject) => {
    const worker = new Worker(new URL('worker.ts', import.meta.url), { workerData: share, resourceLimits })
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
  await Promise.all(
    shares.map((share) =>
      runShare(share, (summary) => {
        addSummary(sum, summary)
        onProgress?.(sum)
      }),
    ),
  )
  return sum
}
