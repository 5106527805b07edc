import { describeError } from '../../core/message.ts'
import type { Problem } from '../../core/status.ts'
import type { SupervisorError } from '../../errors.ts'
import { type ConfigFiles, versionOf } from '../../settings/configuration.ts'
import { failedBoot } from '../../settings/history.ts'
import type { Rejected } from './boot-trial.ts'
import type { Store } from './store.ts'

type Options = {
  readonly store: Store
  /** What the config folder holds at this moment. */
  readonly read: () => ConfigFiles
  /** Files that were put aside at boot. */
  readonly rejected: Rejected | undefined
}

/** `kept` are the names under which the refused files are kept beside the good ones. */
const problemOf = (
  { code, message, hint }: Pick<Problem, 'code' | 'message' | 'hint'>,
  kept: readonly string[],
): Problem => {
  const where = kept.length === 0 ? '' : `; what was refused is kept as ${kept.join(' and ')}`
  return {
    unit: 'config',
    code,
    message,
    hint: `The settings before it are in force${where}. ${hint ?? ''}`.trim(),
  }
}

/** Edited files that were refused: where they are now, and what the status says of them. */
export class Refusals {
  readonly #options: Options
  #problem: Problem | undefined
  #ignored: string | undefined

  constructor(options: Options) {
    this.#options = options
    if (options.rejected) this.#ignore(options.rejected.files)
    // The boot before this one went back: then this one has the good files.
    const last = failedBoot(options.store.readHistory())
    if (last) this.#recall(last.why ?? `the boot failed with version ${last.version}`)
  }

  get problem(): Problem | undefined {
    return this.#problem
  }

  /**
   * Version of files that were refused and are not moved aside, yet or ever (a read-only mount):
   * they are not tried again.
   */
  get ignored(): string | undefined {
    return this.#ignored
  }

  clear(): void {
    this.#problem = undefined
    this.#ignored = undefined
  }

  clearProblem(): void {
    this.#problem = undefined
  }

  /** Moves refused files aside as `*.rejected` and restores the good ones. */
  moveAside(files: ConfigFiles, good: ConfigFiles, error: SupervisorError): void {
    const { store, read } = this.#options
    const described = describeError(error)
    try {
      this.#problem = problemOf(described, store.keepRejected(files, good))
      // An edit that was made meanwhile is not written over: its turn comes.
      if (versionOf(read()) === versionOf(files)) store.write(good)
      this.#ignored = undefined
    } catch {
      this.#problem = problemOf(described, [])
      this.#ignore(files)
    }
  }

  /** Says why files that are no longer there were refused. */
  #recall(message: string): void {
    const kept = this.#options.store.keptRejected()
    this.#problem = problemOf({ code: 'CONFIG_ROLLED_BACK', message, hint: '' }, kept)
  }

  #ignore(files: ConfigFiles): void {
    this.#ignored = versionOf(files)
  }
}
