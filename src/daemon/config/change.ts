import type { ConfigFiles, Configuration } from '../../settings/configuration.ts'
import type { Change, Plan } from '../../settings/plan.ts'
import type { Environment } from '../../settings/table.ts'
import type { Say } from '../../system/ports.ts'
import type { Rejected } from './boot-trial.ts'
import type { Store } from './store.ts'

/** How a proposal ended when it did not fail. `version` is the one in force now, or from the next boot on. */
export type ChangeResult = {
  readonly result: 'applied' | 'unchanged' | 'planned' | 'left to boot'
  readonly version: string
  readonly changes: readonly Change[]
  readonly warnings: readonly string[]
}

/** Called with each step of a change. */
export type Report = (step: string) => void

export type ChangesOptions = {
  readonly boot: Configuration
  /** Files that were put aside at boot, and why. */
  readonly rejected: Rejected | undefined
  readonly environment: Environment
  /** What the config folder holds, settled. */
  readonly readSettled: () => Promise<ConfigFiles>
  /** The same at this moment, settled or not. */
  readonly read: () => ConfigFiles
  readonly check: (files: ConfigFiles) => Promise<Configuration>
  /** The same for what is proposed: another database than that in force must answer, within seconds. */
  readonly checkProposed: (files: ConfigFiles) => Promise<Configuration>
  /**
   * Whether nothing runs that a plan could be carried out on: the boot has failed, or waits for a database
   * that the plan is to replace.
   */
  readonly isLeftToBoot: (plan: Plan) => boolean
  /** Has another boot prove what the config folder holds. */
  readonly startOver: () => void
  /** Carries the plan out, or throws with everything as it was. Calls `commit` at the point of no return. */
  readonly apply: (plan: Plan, next: Configuration, report: Report, commit: () => void) => Promise<void>
  /** Whether everything stops: then nothing is carried out, and edited files are left to the next boot. */
  readonly isStopping: () => boolean
  /** Whether Mathesar has ever been ready here: before that, what has no new generation is not proved. */
  readonly isProven: () => boolean
  readonly store: Store
  readonly now: () => number
  readonly say: Say
}
