import type { Invariant, Violation } from './world.ts'

/**
 * Faults of the product that the simulation has found and that are not mended yet. Mend one, then remove its
 * line.
 */
type Known = { readonly name: string; readonly invariant: Invariant; readonly matches: RegExp }

export const known: readonly Known[] = []

/** Which known fault of the product a violation is. */
export const knownAs = ({ invariant, detail }: Violation): string | undefined =>
  known.find((one) => one.invariant === invariant && one.matches.test(detail))?.name
