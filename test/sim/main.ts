// npm run sim: runs the simulation for as many seeds as asked, or shows the trace of one.
//   npm run sim -- --seeds 1000000 --workers 2 [--first 1]
//   npm run sim -- --seed 4711
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { describeFailed, describeSummary, type Summary } from './batch.ts'
import { runSeed } from './run.ts'
import { runSeeds } from './threads.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '10000' },
    first: { type: 'string', default: '1' },
    workers: { type: 'string', default: String(availableParallelism()) },
  },
})

const print = (text: string): void => void process.stdout.write(`${text}\n`)

const showOne = async (seed: number): Promise<boolean> => {
  const { trace, violations } = await runSeed(seed, { isTraced: true })
  print(trace.join('\n'))
  print(violations.length === 0 ? 'No invariant was broken.' : '')
  for (const { invariant, detail } of violations) print(`FAILED ${invariant}: ${detail}`)
  return violations.length === 0
}

const runMany = async (): Promise<boolean> => {
  const count = Number(values.seeds)
  const startedMs = performance.now()
  let toldMs = startedMs
  let toldFailed = 0
  const onProgress = ({ seeds, failed }: Summary): void => {
    for (; toldFailed < failed.length; toldFailed++) print(describeFailed(failed[toldFailed]!))
    if (performance.now() - toldMs < 5000) return
    toldMs = performance.now()
    const rate = Math.round((1000 * seeds) / (toldMs - startedMs))
    print(
      `${seeds.toLocaleString('en-US')} of ${count.toLocaleString('en-US')}, ${rate} a second, ` +
        `${failed.length} failed`,
    )
  }
  const sum = await runSeeds({
    first: Number(values.first),
    count,
    workers: Number(values.workers),
    onProgress,
  })
  print(describeSummary(sum, performance.now() - startedMs))
  const [first] = sum.failed
  if (first) await showOne(first.seed)
  return first === undefined
}

const isWell = values.seed === undefined ? await runMany() : await showOne(Number(values.seed))
process.exitCode = isWell ? 0 : 1
