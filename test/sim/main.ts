import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { describeFailed, describeSummary, type Summary } from './batch.ts'
import { runSeed } from './run.ts'
import { runSeeds } from './threads.ts'

const usage = `Runs the simulation.
  npm run sim -- [--seeds 1000000] [--first 1] [--workers 2]   so many seeds
  npm run sim -- --seed 4711                                   the trace of one`

const print = (text: string): void => void process.stdout.write(`${text}\n`)

/** Says what is wrong with the arguments. */
const exitWith = (why: string): never => {
  process.stderr.write(`${why}\n${usage}\n`)
  process.exit(2)
}

const read = () => {
  const options = {
    seed: { type: 'string' },
    seeds: { type: 'string', default: '10000' },
    first: { type: 'string', default: '1' },
    workers: { type: 'string', default: String(availableParallelism()) },
    help: { type: 'boolean', short: 'h', default: false },
  } as const
  try {
    return parseArgs({ options }).values
  } catch (error) {
    return exitWith((error as Error).message)
  }
}

const numberOf = (name: string, text: string): number =>
  /^[1-9]\d{0,9}$/.test(text) ? Number(text) : exitWith(`--${name} is not a number from 1 on: ${text}`)

const showOne = async (seed: number): Promise<boolean> => {
  const { trace, violations } = await runSeed(seed, { isTraced: true })
  print(trace.join('\n'))
  print(violations.length === 0 ? 'No invariant was broken.' : '')
  for (const { invariant, detail } of violations) print(`FAILED ${invariant}: ${detail}`)
  return violations.length === 0
}

type Batch = { readonly first: number; readonly count: number; readonly workers: number }

const runMany = async ({ count, ...batch }: Batch): Promise<boolean> => {
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
  const sum = await runSeeds({ ...batch, count, onProgress })
  print(describeSummary(sum, performance.now() - startedMs))
  const [first] = sum.failed
  if (first) await showOne(first.seed)
  return first === undefined
}

const { help, seed, ...values } = read()
if (help) print(usage)
else {
  const isWell =
    seed === undefined
      ? await runMany({
          first: numberOf('first', values.first),
          count: numberOf('seeds', values.seeds),
          workers: numberOf('workers', values.workers),
        })
      : await showOne(numberOf('seed', seed))
  process.exitCode = isWell ? 0 : 1
}
