import { parentPort, workerData } from 'node:worker_threads'
import { addResult, emptySummary, type Summary } from './batch.ts'
import { runWorlds } from './run.ts'

/** The seeds of one thread: every `step`-th from `first` to `last`. */
export type Share = { readonly first: number; readonly last: number; readonly step: number }

const reportEvery = 500
const { first, last, step } = workerData as Share

let seed = first
let summary: Summary = emptySummary()
const report = (): void => {
  parentPort?.postMessage(summary)
  summary = emptySummary()
}
await runWorlds(
  () => {
    if (seed > last) return undefined
    const options = { seed }
    seed += step
    return options
  },
  (result) => {
    addResult(summary, result)
    if (summary.seeds === reportEvery) report()
  },
)
report()
