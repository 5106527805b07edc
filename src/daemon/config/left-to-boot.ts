import { SupervisorError } from '../../errors.ts'
import type { ConfigFiles } from '../../settings/configuration.ts'
import { isOnDisk, type Proposal } from '../../settings/proposal.ts'
import type { ChangeResult, ChangesOptions } from './change.ts'

/** A change that the next boot is to prove. Until then nothing else is changed. */
export class LeftToBoot {
  readonly #options: Pick<ChangesOptions, 'now' | 'startOver' | 'store'>
  #result: ChangeResult | undefined

  constructor(options: Pick<ChangesOptions, 'now' | 'startOver' | 'store'>) {
    this.#options = options
  }

  /** What was left; `undefined` where nothing was. */
  get result(): ChangeResult | undefined {
    return this.#result
  }

  requireNone(): void {
    if (this.#result === undefined) return
    throw new SupervisorError(
      'CONFIG_CONFLICT',
      `cannot change the configuration: the container starts over with version ${this.#result.version}`,
      { hint: 'Try again when it has: `supervisor status` shows how it goes.' },
    )
  }

  /** What the files then lack was taken out on purpose: the history tells the next boot. */
  leave(
    proposal: Proposal,
    planned: Omit<ChangeResult, 'result'>,
    files: ConfigFiles,
    before: ConfigFiles,
  ): ChangeResult {
    const { now, startOver, store } = this.#options
    const result = { ...planned, result: 'left to boot' } as const
    if (!isOnDisk(proposal)) {
      const { version, changes } = planned
      const at = new Date(now()).toISOString()
      try {
        store.write(files)
        store.record({ at, from: proposal.from, version, result: result.result, changes, why: null })
      } catch (error) {
        store.takeBack(files, before)
        throw error
      }
    }
    startOver()
    this.#result = result
    return result
  }
}
