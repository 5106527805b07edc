import type { Problem } from '../core/status.ts'

/** Sees to something beside the units, in its own time: backups, the certificate, who has the volume. */
export type Keeper = {
  /** Begins. One that others call has nothing to begin with. */
  readonly start?: () => void
  /** Ends all that it does, also where it has not begun. */
  readonly stop: () => void | Promise<void>
  /** What is wrong, for the status. */
  readonly problems?: () => readonly Problem[]
}

/** When a keeper begins: with the boot, or once Mathesar is ready, for no boot is to wait for it. */
type From = 'boot' | 'ready'

/** All keepers of an instance. */
export class Keepers {
  readonly #all: { readonly from: From; readonly keeper: Keeper }[] = []

  add<One extends Keeper>(from: From, keeper: One): One {
    this.#all.push({ from, keeper })
    return keeper
  }

  start(from: From): void {
    for (const each of this.#all) if (each.from === from) each.keeper.start?.()
  }

  problems(): readonly Problem[] {
    return this.#all.flatMap(({ keeper }) => keeper.problems?.() ?? [])
  }

  /** Resolves once all have ended, and rejects then where one has failed. The first added ends first. */
  async stop(): Promise<void> {
    const stopped = this.#all.map(async ({ keeper }) => await keeper.stop())
    await Promise.allSettled(stopped)
    await Promise.all(stopped)
  }
}
