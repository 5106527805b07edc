import type { Invariant, Violation } from './world.ts'

/** Faults of the product that the simulation has found and that are not mended yet. Mend one, then remove its line. */
type Known = { readonly name: string; readonly invariant: Invariant; readonly matches: RegExp }

export const known: readonly Known[] = [
  {
    name: 'A timer that a change waited for outlives the stop by a moment',
    invariant: 'leak',
    matches: /a timer/,
  },
  {
    name: 'A file that cannot be read counts as what the watcher reported last: an acknowledged change is undone',
    invariant: 'acknowledged',
    matches: /a watcher could not read/,
  },
  {
    name: 'After a move to the embedded Postgres its tasks are "waiting" in the status',
    invariant: 'status',
    matches: /^(cluster|server-config|sync) is waiting while running$/,
  },
]

/** Which known fault of the product a violation is. */
export const knownAs = ({ invariant, detail }: Violation): string | undefined =>
  known.find((one) => one.invariant === invariant && one.matches.test(detail))?.name
