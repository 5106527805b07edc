import { type SupervisorError, toSupervisorError } from '../errors.ts'
import type { System } from '../system/ports.ts'
import { beat, beatEveryMs, letGo } from '../units/holder.ts'
import type { Place } from '../units/place.ts'
import type { Results } from '../units/results.ts'

type Options = {
  readonly system: System
  readonly place: Place
  readonly resultsOf: () => Partial<Results>
  /** Another run has taken the volume: nothing may be written to it any more. */
  readonly onLost: (error: SupervisorError) => void
}

/** Keeps up what the volume says of the run that has it, and takes it back once everything is down. */
export const startHolding = ({ system, place, resultsOf, onLost }: Options): (() => void) => {
  const { clock, log } = system
  const run = (): string | undefined => resultsOf().volume?.holder?.run
  let count = 0
  const tick = (): void => {
    cancel = clock.after(beatEveryMs, tick)
    const own = run()
    if (own === undefined) return
    try {
      beat({ system, place }, own, ++count)
    } catch (error) {
      const { code } = toSupervisorError(error)
      if (code === 'VOLUME_IN_USE') onLost(toSupervisorError(error))
    }
  }
  let cancel = clock.after(beatEveryMs, tick)
  return () => {
    cancel()
    const own = run()
    if (own === undefined) return
    try {
      letGo({ system, place }, own)
    } catch (error) {
      log.say('debug', `cannot say in the volume that it is free: ${(error as Error).message}`)
    }
  }
}
