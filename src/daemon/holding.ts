import { pauseToPoll } from '../core/timers.ts'
import { type SupervisorError, toSupervisorError } from '../errors.ts'
import type { System } from '../system/ports.ts'
import {
  beat,
  beatEveryMs,
  endHold,
  isShared,
  noteCheckpoint,
  type SeenControlFile,
} from '../units/holder.ts'
import type { Place } from '../units/place.ts'
import { whenControlFileWritten } from '../units/postgres/control-file.ts'
import type { Results } from '../units/results.ts'
import type { Keeper } from './keeper.ts'

type Options = {
  readonly system: System
  readonly place: Place
  readonly resultsOf: () => Partial<Results>
  /** Another run has taken the volume: nothing may be written to it any more. */
  readonly onLost: (error: SupervisorError) => void
}

/** How often it looks for a checkpoint, which a copy goes by, where nothing tells of one. */
const lookEveryMs = 1000

/** Keeps up what the volume says of the run that has it, and takes it back once everything is down. */
export const createHolding = ({ system, place, resultsOf, onLost }: Options): Keeper => {
  const { clock, log } = system
  const scope = { system, place }
  const ownRun = (): string | undefined => resultsOf().volume?.holder?.run
  let beats = 0
  let beatMs = clock.elapsed()
  let hasToBeat: boolean | undefined
  let seen: SeenControlFile | undefined
  let notices: ReturnType<typeof whenControlFileWritten>
  const note = (run: string): void => void (seen = noteCheckpoint(scope, run, seen))
  const look = (run: string): void => {
    if (notices?.isThere() === false) {
      notices.end()
      notices = undefined
    }
    // Two writes may have one time.
    notices ??= whenControlFileWritten(scope, () => {
      seen &&= { ...seen, changedMs: undefined }
      act('what was written', ownRun(), note)
    })
    note(run)
    hasToBeat ??= isShared(scope)
    if (!hasToBeat || clock.elapsed() - beatMs < beatEveryMs - lookEveryMs / 2) return
    beatMs = clock.elapsed()
    beat(scope, run, ++beats)
  }
  const act = (what: string, run: string | undefined, how: (run: string) => void): void => {
    try {
      if (run !== undefined) how(run)
    } catch (thrown) {
      const error = toSupervisorError(thrown)
      if (error.code === 'VOLUME_IN_USE') onLost(error)
      else log.say('debug', `cannot say in the volume ${what}: ${error.message}`)
    }
  }
  const tick = (): void => {
    const everyMs = notices === undefined ? lookEveryMs : beatEveryMs
    cancel = clock.after(pauseToPoll(clock.now(), everyMs), tick)
    act('who has it', ownRun(), look)
  }
  let cancel = (): void => {}
  return {
    start: () => {
      cancel = clock.after(lookEveryMs, tick)
    },
    stop: () => {
      cancel()
      notices?.end()
      act('that it is free', ownRun(), (run) => endHold(scope, run))
    },
  }
}
