import type { Actor } from './actor.ts'
import { inVolume } from '../../src/units/place.ts'
import { Container, paths } from './container.ts'
import { Disk } from './disk.ts'
import { ExternalServer } from './external.ts'
import { type Fault, Faults } from './faults.ts'
import { knownAs } from './known.ts'
import { type Mutant, original } from './mutants.ts'
import { Operations } from './operations.ts'
import { Oracle } from './oracle.ts'
import { People } from './people.ts'
import { Random } from './random.ts'
import { Story } from './story.ts'
import { Timeline } from './timeline.ts'

/** What must hold; README.md says each in a sentence. */
export type Invariant =
  | 'hangs'
  | 'gate'
  | 'acknowledged'
  | 'refused'
  | 'rows'
  | 'cluster'
  | 'key'
  | 'left'
  | 'exit code'
  | 'internal'
  | 'leak'
  | 'secret'
  | 'status'
  | 'serves'
  | 'model'
  | 'whole'
  | 'moved'
  | 'archive'

export type Violation = { readonly invariant: Invariant; readonly detail: string }

export type WorldOptions = {
  readonly seed: number
  readonly isTraced?: boolean
  readonly mutant?: Mutant
}

/** One run: everything that one seed determines. */
export class World {
  readonly options: WorldOptions
  readonly seed: number
  readonly isTraced: boolean
  readonly mutant: Mutant
  readonly random: Random
  readonly timeline = new Timeline()
  readonly faults: Faults
  readonly volume: Disk
  readonly oracle: Oracle
  readonly people: People
  readonly operations: Operations
  readonly story: Story
  readonly externals: ReadonlyMap<string, ExternalServer>
  readonly containers: Container[] = []
  readonly violations: Violation[] = []
  /** Known faults of the product that showed, and how often. */
  readonly known = new Map<string, number>()
  readonly lines: string[] = []
  /** The power went when there were edits: of those any part may be left. */
  hasLostEdits = false
  /** Somebody else may serve from what was sent, and nobody has typed `send --back`. */
  isMovedAway = false
  /** Starts of a supervisor. */
  boots = 0
  readonly #locks = new Map<string, Actor>()
  #clusters = 0

  constructor(options: WorldOptions) {
    const { seed, isTraced = false, mutant = original } = options
    this.options = options
    this.seed = seed
    this.isTraced = isTraced
    this.mutant = mutant
    this.random = new Random(seed)
    this.faults = new Faults(this.random, mutant.stories)
    this.volume = new Disk(this.random)
    this.volume.makeFolder('/var/lib')
    this.volume.syncAll()
    this.oracle = new Oracle(this)
    this.externals = new Map(['db', 'other', 'target'].map((host) => [host, new ExternalServer(this, host)]))
    for (const { password } of this.externals.values()) this.oracle.addSecret(password)
    this.people = new People(this)
    this.operations = new Operations(this)
    this.story = new Story(this)
    if (isTraced) this.faults.listen((fault) => this.trace(`! ${fault}`))
  }

  get isOver(): boolean {
    return this.story.isOver || this.violations.length > 0
  }

  /** Whether somebody wrote settings that cannot serve. */
  get isBadlyConfigured(): boolean {
    const { contents, hasWrittenBadYaml } = this.people
    return (
      hasWrittenBadYaml ||
      this.hasLostEdits ||
      this.faults.counts.has('edit is half-written') ||
      [...contents.values()].some(({ isBad }) => isBad)
    )
  }

  /** What is wrong at this moment, and may have begun before. */
  get troubles(): readonly Fault[] {
    return [
      ...(this.volume.isFull ? (['disk full'] as const) : []),
      ...(this.volume.isReadOnly ? (['disk read-only'] as const) : []),
      ...(this.isMarked ? (['move'] as const) : []),
      ...[...this.externals.values()].flatMap(({ trouble }) => trouble ?? []),
    ]
  }

  /** Whether the volume says that all of it was moved away. */
  get isMarked(): boolean {
    return /"moved"/.test(this.volume.read(inVolume(paths).manifest) ?? '')
  }

  trace(line: string): void {
    if (this.isTraced) this.lines.push(`${String(this.timeline.elapsedMs).padStart(8)} ${line}`)
  }

  /** Ends the run, unless the fault is a known one: that is counted, and the run goes on. */
  violate(invariant: Invariant, detail: string): void {
    this.trace(`VIOLATION ${invariant}: ${detail}`)
    const name = knownAs({ invariant, detail })
    if (name === undefined) this.violations.push({ invariant, detail })
    else this.known.set(name, (this.known.get(name) ?? 0) + 1)
  }

  nameCluster(): string {
    return `cluster ${++this.#clusters}`
  }

  addContainer(container: Container): Container {
    this.containers.push(container)
    return container
  }

  /** A lock in the volume: held by one process until its death. */
  lock(path: string, actor: Actor): boolean {
    const holder = this.#locks.get(path) ?? actor
    this.#locks.set(path, holder)
    if (holder !== actor && path.endsWith('/.lock')) this.faults.record('second container')
    return holder === actor
  }
  unlock(actor: Actor): void {
    for (const [path, holder] of this.#locks) if (holder === actor) this.#locks.delete(path)
  }

  /** Everything stops in this instant. */
  losePower(): void {
    this.trace('the power goes')
    for (const container of this.containers) container.kill()
    this.hasLostEdits ||= this.people.hasWritten
    this.volume.losePower()
    for (const { layer } of this.containers) layer.losePower()
    this.oracle.edits.losePower()
  }
}
