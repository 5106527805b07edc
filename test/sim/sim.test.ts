import { expect, test } from 'vitest'
import { describeSummary } from './batch.ts'
import { runSeed, runWorlds } from './run.ts'
import { mutants } from './mutants.ts'
import { runSeeds } from './threads.ts'

const seeds = Number(process.env.SIM_SEEDS ?? 2000)
const workers = 2

/** The first seed whose run breaks the invariant. */
const findBroken = async (
  { breaks, mutant }: Pick<(typeof mutants)[number], 'breaks' | 'mutant'>,
  most: number,
): Promise<number | undefined> => {
  let seed = 0
  let broken: number | undefined
  await runWorlds(
    () => (broken === undefined && seed < most ? { seed: ++seed, mutant } : undefined),
    (result) => {
      const isBroken = result.violations.some(({ invariant }) => invariant === breaks)
      const isKnown = breaks === 'left' && [...result.known.keys()].some((name) => name.startsWith('B2'))
      if (isBroken || isKnown) broken ??= result.seed
    },
  )
  return broken
}

test(`${seeds} seeds break no invariant`, { timeout: 600_000 }, async () => {
  const startedMs = performance.now()
  const sum = await runSeeds({ first: 1, count: seeds, workers })
  console.log(describeSummary(sum, performance.now() - startedMs))
  expect(sum.seeds).toBe(seeds)
  expect(sum.failed).toEqual([])
})

test('the same seed gives the same trace, alone and beside others', { timeout: 60_000 }, async () => {
  const beside = new Map<number, readonly string[]>()
  let seed = 0
  await runWorlds(
    () => (seed < 40 ? { seed: ++seed, isTraced: true } : undefined),
    (result) => void beside.set(result.seed, result.trace),
  )
  for (const [one, trace] of beside) {
    expect(trace.length).toBeGreaterThan(5)
    expect((await runSeed(one, { isTraced: true })).trace).toEqual(trace)
  }
})

test.each(mutants)(
  'a product in which $name breaks the invariant "$breaks"',
  { timeout: 300_000 },
  async (one) => {
    expect(await findBroken(one, 3000)).toBeDefined()
  },
)
