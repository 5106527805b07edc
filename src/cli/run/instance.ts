import { createCarrying } from '../../daemon/carrying.ts'
import { isUnproven, type Setup } from '../../daemon/config/boot-trial.ts'
import { Instance } from '../../daemon/instance.ts'
import type { ErrorCode } from '../../errors.ts'
import type { InForce } from '../../settings/configuration.ts'
import type { Streams, System } from '../../system/ports.ts'
import { units, unitsUpTo } from '../../units/index.ts'
import type { Place } from '../../units/place.ts'
import type { Results } from '../../units/results.ts'
import type { UnitName } from '../../units/unit.ts'
import { supervisorCommand } from './boot-again.ts'

/** What an operation on a volume is given that no supervisor runs on. */
export type Brought = {
  readonly system: System & Streams
  readonly place: Place
  readonly inForce: InForce
  /** What the tasks up to that unit have left. */
  readonly results: Partial<Results>
}

/** The last unit to bring up, and what is done then, before all is stopped again. */
export type Until = {
  readonly unit: UnitName
  readonly act: (brought: Brought) => Promise<void>
  /** What it is when all is stopped before that is done. */
  readonly whenCutOff: ErrorCode
  /** What to type where another container has the volume, if it can do the same. */
  readonly whenInUse?: string
}

type Tools = { readonly system: System & Streams; readonly setup: Setup; readonly startedAtMs: number }

/** All units of this image, or those up to one. */
export const createInstance = ({ system, setup, startedAtMs }: Tools, until: Until | undefined): Instance => {
  const { place, configuration: inForce } = setup
  const instance: Instance = new Instance({
    system,
    place,
    units: until === undefined ? units : unitsUpTo(until.unit),
    inForce,
    startedAtMs,
    carrying: createCarrying({ system, place, program: supervisorCommand() }),
    ...(until === undefined
      ? {}
      : { whenUp: () => until.act({ system, place, inForce, results: instance.results }) }),
    isUnproven: () => isUnproven(setup),
  })
  return instance
}
