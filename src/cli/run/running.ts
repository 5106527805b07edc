import type { Backups } from '../../daemon/backups.ts'
import type { Config } from '../../daemon/config/config.ts'
import type { Ending } from '../../daemon/ending.ts'
import type { Instance } from '../../daemon/instance.ts'
import type { Keepers } from '../../daemon/keeper.ts'
import type { PastKeeper } from '../../daemon/past.ts'
import type { UndoKeeper } from '../../daemon/undo.ts'
import type { Updates } from '../../daemon/updates.ts'
import type { Streams, System } from '../../system/ports.ts'
import type { Place } from '../../units/place.ts'

/** What all the rest of a running daemon is built from. */
export type Core = {
  readonly system: System & Streams
  readonly place: Place
  readonly instance: Instance
  readonly config: Config
  readonly ending: Ending
}

/** The same with what it tells of itself. */
export type Running = Core & {
  readonly keepers: Keepers
  readonly backups: Backups
  readonly updates: Updates
  readonly undo: UndoKeeper
  readonly past: PastKeeper
  readonly startedAtMs: number
  readonly reaper: { readonly reaped: number }
  readonly sink: { readonly dropped: number }
}
