import type { Fault } from './faults.ts'
import './hashing.ts'
import type { Mutant } from './mutants.ts'
import { type Violation, World, type WorldOptions } from './world.ts'

export type RunResult = {
  readonly seed: number
  readonly boots: number
  readonly virtualMs: number
  readonly violations: readonly Violation[]
  readonly known: ReadonlyMap<string, number>
  readonly faults: ReadonlyMap<Fault, number>
  readonly trace: readonly string[]
}

const resultOf = (world: World): RunResult => ({
  seed: world.seed,
  boots: world.boots,
  virtualMs: world.timeline.elapsedMs,
  violations: world.violations,
  known: world.known,
  faults: world.faults.counts,
  trace: world.lines,
})

/**
 * How many worlds take turns: they share the cost of a turn of Node's event loop, and the processor's cache.
 */
const worldsAtOnce = 4

/** Errors are many, and their stacks nobody's but a reader's of a trace. */
const stackLines = 10

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Worlds that take turns. */
class Turns {
  readonly #worlds = new Set<World>()
  /**
   * Those that went on when some promise was rejected without an owner: whose it was, only a run of each
   * alone tells.
   */
  readonly suspects: WorldOptions[] = []
  readonly #isAlone: boolean
  readonly #onResult: (result: RunResult) => void

  constructor(isAlone: boolean, onResult: (result: RunResult) => void) {
    this.#isAlone = isAlone
    this.#onResult = onResult
  }

  get count(): number {
    return this.#worlds.size
  }

  add(options: WorldOptions): void {
    Error.stackTraceLimit = options.isTraced ? stackLines : 0
    const world = new World(options)
    this.#worlds.add(world)
    world.story.begin()
  }

  /** Brings each an event further. */
  step(): void {
    for (const world of this.#worlds) {
      if (!world.isOver && world.timeline.step()) {
        world.story.look()
        continue
      }
      if (!world.isOver) world.violate('hangs', 'nothing happens any more')
      this.#worlds.delete(world)
      this.#onResult(resultOf(world))
    }
  }

  readonly reject = (reason: unknown): void => {
    for (const world of this.#worlds) {
      if (this.#isAlone)
        world.violate('internal', `a promise was rejected without an owner: ${(reason as Error).stack}`)
      else this.suspects.push(world.options)
    }
    if (!this.#isAlone) this.#worlds.clear()
  }
}

/** Runs worlds side by side, an event of each in turn, and tells of each that is over. */
export const runWorlds = async (
  next: () => WorldOptions | undefined,
  onResult: (result: RunResult) => void,
  atOnce = worldsAtOnce,
): Promise<void> => {
  const turns = new Turns(atOnce === 1, onResult)
  process.on('unhandledRejection', turns.reject)
  try {
    for (;;) {
      for (let options; turns.count < atOnce && (options = next()) !== undefined;) turns.add(options)
      if (turns.count === 0) break
      await turn()
      turns.step()
    }
  } finally {
    process.off('unhandledRejection', turns.reject)
  }
  if (turns.suspects.length > 0) await runWorlds(() => turns.suspects.pop(), onResult, 1)
}

/** Runs one seed. */
export const runSeed = async (
  seed: number,
  options: { isTraced?: boolean; mutant?: Mutant } = {},
): Promise<RunResult> => {
  const left = [{ seed, ...options }]
  const results: RunResult[] = []
  await runWorlds(
    () => left.pop(),
    (result) => void results.push(result),
    1,
  )
  const [result] = results
  if (result === undefined) throw new Error('the run has no result')
  return result
}
