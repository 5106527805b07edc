import type { Disk } from './disk.ts'
import type { World } from './world.ts'

/**
 * Names a content of mathesar.env: each that somebody wants has a number of its own, in PUBLIC_URL. 0 is one
 * without.
 */
export type Marker = number

const form = /^PUBLIC_URL=http:\/\/m(\d+)\.example$/m

export const markerOf = (text: string | undefined): Marker => Number(form.exec(text ?? '')?.[1] ?? 0)
export const urlOf = (marker: Marker): string => `http://m${marker}.example`

/** `to` names the container whose supervisor is to say what came of it. */
type Proposed = { readonly to: string; readonly startedAtMs: number; readonly marker: Marker }

type Edit = { readonly atMs: number; readonly marker: Marker }
/** What may be in force of a state, and what was edited in it. */
export type Known = { readonly allowed: readonly Marker[]; readonly edits: readonly Edit[] }

/**
 * What may be in force at the next boot: what was last acknowledged, whatever was edited or proposed since,
 * and nothing else. And what was refused, which may never be in force.
 */
export class Edits {
  readonly #world: World
  #allowed = new Set<Marker>([0])
  readonly #refused = new Set<Marker>()
  readonly #inFlight = new Set<Proposed>()
  #edits: Edit[] = []
  /** A refused edit that was moved aside, once mathesar.env is another one. */
  #setAside: Marker | undefined
  /** The one that the last write to mathesar.env took the place of. */
  #replaced: Marker | undefined
  /** What was left to the next boot, where nothing was done to the files since. */
  #left: Marker | undefined

  constructor(world: World) {
    this.#world = world
  }

  get #nowMs(): number {
    return this.#world.timeline.elapsedMs
  }

  /** Somebody writes the file by hand. Half of it may have no marker. */
  edit(...markers: readonly Marker[]): void {
    this.#left = undefined
    for (const marker of markers) {
      this.#edits.push({ atMs: this.#nowMs, marker })
      this.#allowed.add(marker)
      this.#refused.delete(marker) // Whoever writes it again, or the rest of it, wants it tried again.
    }
  }

  /** Somebody wants a version of the history again. */
  pardon(marker: Marker): void {
    this.#refused.delete(marker)
  }

  propose(to: string, marker: Marker): Proposed {
    const proposed = { to, startedAtMs: this.#nowMs, marker }
    this.#inFlight.add(proposed)
    this.#allowed.add(marker)
    return proposed
  }

  /** The API said that it is in force; `inForce` is what then was. */
  acknowledge(proposed: Proposed, inForce: Marker, volume: Disk, path: string): void {
    this.#inFlight.delete(proposed)
    this.#edits = this.#edits.filter(({ atMs }) => atMs >= proposed.startedAtMs)
    const later = this.#edits.map(({ marker }) => marker)
    this.#allowed = new Set([inForce, ...later, ...[...this.#inFlight].map(({ marker }) => marker)])
    this.#requireAllowed(inForce, 'was acknowledged')
    if (later.length === 0 && markerOf(volume.readStored(path)) !== inForce)
      this.#world.violate('acknowledged', `m${inForce} is acknowledged and not on the disk`)
  }

  /** The API said that the container starts over with it: the next boot tries it. */
  leave(proposed: Proposed): void {
    this.#inFlight.delete(proposed)
    if (!this.#edits.some(({ atMs }) => atMs >= proposed.startedAtMs)) this.#left = proposed.marker
  }

  /** A boot goes by this content. */
  boot(marker: Marker): void {
    if (this.#left !== undefined && this.#left !== marker)
      this.#world.violate('acknowledged', `m${this.#left} was left to the boot, which goes by m${marker}`)
    this.#left = undefined
    this.requireAllowed(marker, 'is what a boot goes by')
  }

  refuse(proposed: Proposed, isNew: boolean): void {
    this.#inFlight.delete(proposed)
    if (!isNew) return
    this.#allowed.delete(proposed.marker)
    this.#refused.add(proposed.marker)
  }

  /** The container died: what was proposed to it may be in force or not. */
  forget(container: string): void {
    for (const proposed of this.#inFlight) if (proposed.to === container) this.#inFlight.delete(proposed)
  }

  /** What may be in force now, for when this state is back. */
  get known(): Known {
    return { allowed: [...this.#allowed], edits: this.#edits }
  }

  /** Another state is in force, with its own settings: those of before are beside. */
  restore(marker: Marker, sinceMs: number, { allowed, edits }: Known = { allowed: [], edits: [] }): void {
    this.#left = undefined
    const later = this.#edits.filter(({ atMs }) => atMs >= sinceMs)
    this.#edits = [...edits, ...later]
    this.#refused.delete(marker)
    const proposed = [...this.#inFlight].map((one) => one.marker)
    this.#allowed = new Set([marker, ...allowed, ...proposed, ...later.map((one) => one.marker)])
  }

  /** The power went: of an edit that nobody synced, any part may be there. */
  losePower(): void {
    if (this.#edits.length > 0) this.#allowed.add(0)
  }

  /** The supervisor wrote mathesar.env, or what it refused beside it. */
  seeWrite(path: string, text: string): void {
    const marker = markerOf(text)
    if (path.endsWith('/mathesar.env.rejected')) {
      // Whoever has written the rest meanwhile wants the whole tried: what was refused is a half of it.
      const now = this.#world.volume.read(path.slice(0, -'.rejected'.length))
      this.#setAside = now !== text && markerOf(now) === marker ? undefined : marker
    }
    if (!path.endsWith('/mathesar.env')) return
    if (this.#setAside !== undefined && this.#setAside !== marker && this.#setAside !== 0) {
      this.#refused.add(this.#setAside)
      this.#allowed.delete(this.#setAside)
      this.#replaced = this.#setAside
    } else {
      // The disk failed when the good one was put in its place: it is back, and the next boot tries it.
      if (marker === this.#replaced) this.edit(marker)
      this.#replaced = undefined
    }
    this.#setAside = undefined
  }

  /** A content that a boot or a generation goes by. */
  requireAllowed(marker: Marker, what: string): void {
    this.#requireAllowed(marker, what)
    if (!this.#allowed.has(marker))
      this.#world.violate(
        'acknowledged',
        `m${marker} ${what}, and not one of ${[...this.#allowed].map((each) => `m${each}`).join(', ')}`,
      )
  }

  #requireAllowed(marker: Marker, what: string): void {
    if (this.#refused.has(marker)) this.#world.violate('refused', `m${marker} was refused and ${what}`)
  }
}
