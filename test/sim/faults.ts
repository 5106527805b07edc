import type { Random } from './random.ts'

/**
 * What may go wrong, each with how often it strikes where it can, once the seed has drawn it: a probability
 * for each occasion. People and crashes are kinds too: how often, for each of the moments at which something
 * may happen.
 */
export const rates = {
  // The supervisor and its machine.
  stop: 0.35,
  'second stop': 0.3,
  'reload signal': 0.2,
  'supervisor killed': 0.35,
  'killed in a call': 0.35,
  'power lost': 0.35,
  'power lost in a call': 0.35,
  'second container': 0.15,
  'port taken': 0.1,
  'watcher without inotify': 1,
  // The volume.
  'disk full': 0.2,
  'disk read-only': 0.05,
  'sync fails': 0.02,
  'read fails': 0.005,
  // The embedded Postgres.
  'postgres killed': 0.35,
  'backends outlive it': 0.5,
  'backend crashes': 0.3,
  'postgres does not start': 0.15,
  'postgres is slow': 0.3,
  'postgres is deaf': 0.2,
  'role changed by the app': 0.3,
  // Programs.
  'program fails': 0.05,
  'program is killed': 0.05,
  'program cannot start': 0.03,
  'program is slow': 0.15,
  'migration fails': 0.15,
  // The external database.
  'database away': 0.3,
  'database unreachable': 0.15,
  'database starting': 0.2,
  'database refuses': 0.15,
  'database full': 0.2,
  'connection breaks': 0.02,
  'another migrates': 0.3,
  // The door.
  'door killed': 0.2,
  'door does not start': 0.05,
  'door is deaf': 0.1,
  // Mathesar.
  'mathesar killed': 0.3,
  'mathesar cannot start': 0.1,
  'mathesar is deaf': 0.15,
  'mathesar is slow': 0.15,
  'mathesar does not answer': 0.05,
  'mathesar answers 500': 0.05,
  'candidate is unfit': 0.1,
  'candidate says nothing': 0.05,
  'candidate says nonsense': 0.05,
  'output is held open': 0.1,
  // People.
  edit: 0.3,
  'edit is invalid': 0.25,
  'edit is half-written': 0.3,
  'file emptied': 0.12,
  'file removed': 0.12,
  'edit moves the database': 0.25,
  'edit is of YAML': 0.15,
  'setting that cannot serve': 0.1,
  proposal: 0.5,
  'proposal moves the database': 0.25,
  'proposal restarts Postgres': 0.2,
  'proposal with an old base': 0.1,
  'dry run': 0.1,
  restore: 0.15,
  'service controlled': 0.15,
  'image upgraded': 0.3,
  // Operations that somebody begins.
  promotion: 0.3,
  'promotion back': 0.1,
  'base for an undo': 0.2,
  backup: 0.3,
  undo: 0.25,
  'backup restored': 0.25,
  'undo of a restore': 0.25,
  move: 0.15,
  'operation killed': 0.3,
} as const

export type Fault = keyof typeof rates

const kinds = Object.keys(rates).filter((name): name is Fault => name in rates)

/** The faults of one run. Some runs have all kinds, some few and more of them, some none. */
export class Faults {
  /** How often each has struck. */
  readonly counts = new Map<Fault, number>()
  readonly #random: Random
  readonly #drawn: ReadonlyMap<Fault, number>
  readonly #listeners = new Set<(fault: Fault) => void>()
  #isOver = false

  /** `stories` are those that every run may have. */
  constructor(random: Random, stories: readonly Fault[] = []) {
    this.#random = random
    const share = random.pick([0, 0.15, 0.3, 0.3, 0.5, 1])
    const weight = random.pick([0.3, 1, 1, 2])
    this.#drawn = new Map(
      kinds
        .filter((kind) => random.chance(share) || stories.includes(kind))
        .map((kind) => [kind, Math.min(1, rates[kind] * weight)]),
    )
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Whether this kind strikes now. */
  strikes(kind: Fault): boolean {
    const rate = this.#drawn.get(kind)
    if (rate === undefined || this.#isOver || !this.#random.chance(rate)) return false
    this.record(kind)
    return true
  }

  record(kind: Fault): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1)
    for (const listener of this.#listeners) listener(kind)
  }

  /** Hears of each fault that strikes. Returns the function that ends that. */
  listen(listener: (fault: Fault) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** From now on nothing goes wrong. */
  end(): void {
    this.#isOver = true
  }
}
