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
    name: 'A change is refused because the history cannot be synced (EIO), and the history says that it was applied',
    invariant: 'refused',
    matches: /after a history that could not be synced/,
  },
  {
    name: 'A database that refuses after the task `database` (28P01, 53300, 3D000) ends as INTERNAL',
    invariant: 'internal',
    matches:
      /internal error: (password authentication failed|sorry, too many clients|database ".*" does not exist)/,
  },
  {
    name: 'After a move to the embedded Postgres its tasks are "waiting" in the status',
    invariant: 'status',
    matches: /^(cluster|server-config|sync|manifest) is waiting while running$/,
  },
]

/** Which known fault of the product a violation is. */
export const knownAs = ({ invariant, detail }: Violation): string | undefined =>
  known.find((one) => one.invariant === invariant && one.matches.test(detail))?.name
