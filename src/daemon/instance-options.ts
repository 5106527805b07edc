import type { InForce } from '../settings/configuration.ts'
import type { System } from '../system/ports.ts'
import type { Place } from '../units/place.ts'
import type { Unit } from '../units/unit.ts'
import type { Carrying } from './carrying.ts'

/** What an instance is made of. */
export type InstanceOptions = {
  readonly system: System
  readonly place: Place
  readonly units: readonly Unit[]
  /** The settings to boot with. */
  readonly inForce: InForce
  /** What is to be done once all units are up; then everything stops. Without it, everything stays up. */
  readonly whenUp?: () => Promise<void>
  /** Whether other settings could be gone back to: the boot then gives up on a service sooner. */
  readonly isUnproven?: () => boolean
  /** Milliseconds since 1970. */
  readonly startedAtMs: number
  readonly carrying: Carrying
}
