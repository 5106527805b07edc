const all = Number(process.env.TEST_RUNS ?? 0)

/** How often a property is tried: TEST_RUNS times when it is given, a few times in everyday runs. */
export const runs = (everyday: number): { readonly numRuns: number } => ({ numRuns: all || everyday })

/** The time that vitest gives it. */
export const runsTimeoutMs = 5_000 + 10 * all
