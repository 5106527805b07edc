import { inVolume, type Paths } from '../../src/units/place.ts'
import { folderOf, type Journal, replaced } from '../../src/units/swap.ts'
import type { Actor } from './actor.ts'
import type { Disk, Inode } from './disk.ts'
import { type Known, markerOf } from './edits.ts'
import type { World } from './world.ts'

type Parts = ReadonlyMap<string, Inode>

/** A state that is to take the place of the one in force, as a whole. */
type Swap = {
  readonly by: Actor
  /** From when on people may find its settings in place of the others. */
  readonly sinceMs: number
  readonly leaving: Parts
  readonly coming: Parts
  /** Its settings; `undefined` where those in force stay. */
  readonly settings: string | undefined
  /** What was said to whoever asked for it. */
  answer: 'done' | 'refused' | undefined
}

const partsIn = (volume: Disk, folder: string, names: readonly string[]): Parts =>
  new Map(
    names.flatMap((name) => {
      const inode = volume.find(`${folder}/${name}`)
      return inode === undefined ? [] : [[name, inode] as const]
    }),
  )

const nameOf = (swap: Swap | undefined): string =>
  swap === undefined ? 'the state before' : `that of ${swap.by.name}`

/** Which side of a restore or an undo is in force: each boot has one of the two, whole. */
export class Sides {
  readonly #world: World
  readonly #paths: Pick<Paths, 'data'>
  /** What may be in force of a state that is kept, by its folder of settings. */
  readonly #kept = new Map<Inode, Known>()
  #swaps: readonly Swap[] = []

  constructor(world: World, paths: Pick<Paths, 'data'>) {
    this.#world = world
    this.#paths = paths
  }

  /** Somebody begins to write a file: the journal says what is to be in force. */
  seeWrite(by: Actor, path: string, text: string): void {
    if (path !== this.#journal) return
    const { incoming, kept, moves } = JSON.parse(text) as Journal
    if (moves !== undefined) return
    const { volume } = this.#world
    const names = replaced.filter((name) => !kept.includes(name))
    const folder = folderOf({ place: { paths: this.#paths } }, incoming)
    const coming = partsIn(volume, folder, names)
    const leaving = partsIn(volume, this.#paths.data, names)
    const settings = names.includes('config')
      ? (volume.read(`${folder}/config/mathesar.env`) ?? '')
      : undefined
    const sinceMs = this.#world.timeline.elapsedMs
    this.#swaps = [...this.#swaps, { by, sinceMs, leaving, coming, settings, answer: undefined }]
  }

  /** Nothing is said where the disk failed in a way that nobody can tell. */
  answer(by: Actor, answer: 'done' | 'refused'): void {
    const asked = this.#swaps.filter((swap) => swap.by === by)
    for (const swap of asked) swap.answer = answer
    if (answer === 'done' && asked.length === 0)
      this.#world.violate('acknowledged', `${by.name} is acknowledged and in no journal`)
  }

  /** Somebody takes back what waits for the next start. Until that is told, both may be in force. */
  takeBack(isTold: boolean): void {
    for (const swap of this.#swaps) swap.answer = isTold ? 'refused' : undefined
  }

  /** A boot has finished what waited for it, and has read nothing else yet. */
  seeBoot(): void {
    const { volume, oracle } = this.#world
    if (this.#swaps.length === 0) return
    const journal = volume.read(this.#journal)
    // Else another supervisor has the volume.
    if (journal !== undefined && !(JSON.parse(journal) as Journal).isDone) return
    const now = partsIn(volume, this.#paths.data, replaced)
    const at = this.#swaps.findLastIndex(({ coming }) => coming.get('postgres') === now.get('postgres'))
    const inForce = at < 0 ? undefined : this.#swaps[at]
    this.#requireWhole(now, inForce)
    this.#requireRight(at)
    this.#swaps = this.#swaps.slice(at + 1).filter(({ answer }) => answer === undefined)
    if (inForce === undefined) return
    this.#world.trace(`${nameOf(inForce)} is in force`)
    oracle.tell('embedded')
    const [left, came] = [inForce.leaving.get('config'), inForce.coming.get('config')]
    if (inForce.settings === undefined) return
    if (left !== undefined) this.#kept.set(left, oracle.edits.known)
    const known = came === undefined ? undefined : this.#kept.get(came)
    oracle.edits.restore(markerOf(inForce.settings), inForce.sinceMs, known)
  }

  get #journal(): string {
    return `${inVolume(this.#paths).restore}/journal.json`
  }

  #requireRight(at: number): void {
    const lastDone = this.#swaps.findLastIndex(({ answer }) => answer === 'done')
    if (at < lastDone)
      this.#world.violate(
        'acknowledged',
        `${nameOf(this.#swaps[lastDone])} was acknowledged, and ${nameOf(this.#swaps[at])} is in force`,
      )
    if (this.#swaps[at]?.answer === 'refused')
      this.#world.violate('refused', `${nameOf(this.#swaps[at])} was refused and is in force`)
  }

  #requireWhole(now: Parts, inForce: Swap | undefined): void {
    const foreign = new Map<Inode, string>()
    for (const swap of this.#swaps)
      if (swap !== inForce) for (const inode of swap.coming.values()) foreign.set(inode, nameOf(swap))
    for (const inode of inForce?.leaving.values() ?? []) foreign.set(inode, nameOf(undefined))
    for (const inode of inForce?.coming.values() ?? []) foreign.delete(inode)
    for (const [name, inode] of now) {
      const of = foreign.get(inode)
      if (of !== undefined)
        this.#world.violate('whole', `the cluster is ${nameOf(inForce)}, and ${name} is ${of}`)
    }
    for (const [name] of inForce?.coming ?? [])
      if (!now.has(name)) this.#world.violate('whole', `${name} of ${nameOf(inForce)} is missing`)
  }
}
