import { SupervisorError } from '../../errors.ts'
import type { ConfigFiles } from '../../settings/configuration.ts'
import { isOnDisk, type Proposal } from '../../settings/proposal.ts'
import type { ChangeResult, ChangesOptions } from './change.ts'

type Options = Pick<ChangesOptions, 'now' | 'rejected' | 'startOver' | 'store'>

type Leaving = {
  readonly proposal: Proposal
  readonly files: ConfigFiles
  readonly planned: Omit<ChangeResult, 'result'>
  /** The files that are in force. */
  readonly current: ConfigFiles
}

/** A change that the next boot is to prove. Until then nothing else is changed. */
export class LeftToBoot {
  readonly #options: Options
  #result: ChangeResult | undefined

  constructor(options: Options) {
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
  leave({ proposal, files, planned, current }: Leaving): ChangeResult {
    const { now, rejected, startOver, store } = this.#options
    const result = 'left to boot'
    if (!isOnDisk(proposal)) {
      const { version, changes } = planned
      if (rejected) store.keepRejected(rejected.files, current)
      store.keep(version, files)
      store.write(files)
      try {
        const at = new Date(now()).toISOString()
        store.record({ at, from: proposal.from, version, result, changes, why: null })
      } catch (error) {
        store.takeBack(files, current)
        throw error
      }
    }
    startOver()
    this.#result = { ...planned, result }
    return this.#result
  }
}
