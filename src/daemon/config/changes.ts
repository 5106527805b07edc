import type { Problem } from '../../core/status.ts'
import { SupervisorError, toSupervisorError } from '../../errors.ts'
import { type ConfigFiles, type Configuration, versionOf } from '../../settings/configuration.ts'
import type { HistoryEntry, Origin } from '../../settings/history.ts'
import { type Change, changesBetween, type Plan, planOf } from '../../settings/plan.ts'
import {
  filesWanted,
  isOnDisk,
  refuseInvalid,
  refuseLostDatabase,
  refusePinnedEdits,
  type Proposal,
} from '../../settings/proposal.ts'
import { persistEnvironment, recordBoot } from './boot-record.ts'
import type { ChangeResult, ChangesOptions, Report } from './change.ts'
import { requireCarriable } from '../carrying.ts'
import { LeftToBoot } from './left-to-boot.ts'
import { Queue } from './queue.ts'
import { Refusals } from './refusals.ts'

/** A change under way. */
type Attempt = {
  readonly proposal: Proposal
  readonly files: ConfigFiles
  readonly report: Report
}

/**
 * The changes of the configuration. Whoever proposes one, and by whatever way, it is a transaction: checked,
 * planned, carried out, proved and recorded, or everything stays as it was.
 */
export class Changes {
  readonly #options: ChangesOptions
  readonly #queue: Queue
  readonly #refusals: Refusals
  readonly #left: LeftToBoot
  /** What is in force could not be noted as good. */
  #isUnrecorded = false
  #current: Configuration

  constructor(options: ChangesOptions) {
    this.#options = options
    this.#queue = new Queue((proposal, report) => this.#run(proposal, report))
    this.#current = options.boot
    this.#refusals = new Refusals(options)
    this.#left = new LeftToBoot(options)
  }

  get current(): Configuration {
    return this.#current
  }

  get isChanging(): boolean {
    return this.#queue.isWorking
  }

  get problem(): Problem | undefined {
    return this.#refusals.problem
  }

  /** Proposes a change. Resolves when it is in force, and rejects when everything is as it was. */
  propose(proposal: Proposal, report: Report = () => {}): Promise<ChangeResult> {
    return this.#queue.add(proposal, report)
  }

  /** Does something that changes no setting while no change is carried out. */
  interrupt(act: () => Promise<void>): Promise<void> {
    return this.#queue.interrupt(act)
  }

  /** Whether the next boot is to prove a change, so that the container starts over. */
  get isLeftToBoot(): boolean {
    return this.#left.result !== undefined
  }

  /** After a boot that went well: writes what the environment gave, and records what is in force as good. */
  async settle(): Promise<void> {
    if (this.isLeftToBoot) return
    // A change may take minutes: what booted counts as good before it. What fails here is tried again below.
    if (this.isChanging) await recordBoot(this.#options, () => this.#current).catch(() => {})
    await this.interrupt(() => this.#finishBoot()).catch((error: Error) => {
      this.#isUnrecorded = true
      this.#options.say('warn', `cannot record the configuration: ${error.message}`)
    })
  }

  async #run(proposal: Proposal, report: Report): Promise<ChangeResult> {
    if (isOnDisk(proposal) && this.#left.result) return this.#left.result // That boot reads them.
    this.#left.requireNone()
    if (this.#isUnrecorded) await this.#persistBoot().catch(() => {}) // The disk may have room now.
    if (!isOnDisk(proposal)) {
      await this.#catchUp(report)
      this.#left.requireNone()
      const files = filesWanted(proposal, this.#current, this.#current.files)
      return await this.#transact({ proposal, files, report })
    }
    const onDisk = await this.#readDisk()
    const isIgnored = versionOf(onDisk) === this.#refusals.ignored
    if (isIgnored && !proposal.reload)
      return { result: 'unchanged', version: this.#current.version, changes: [], warnings: [] }
    const files = filesWanted(proposal, this.#current, isIgnored ? this.#current.files : onDisk)
    return await this.#transact({ proposal, files, report })
  }

  /** An edit of a file that nobody has seen yet comes before what was proposed on top of it. */
  async #catchUp(report: Report): Promise<void> {
    const onDisk = await this.#readDisk()
    const version = versionOf(onDisk)
    if (version === this.#current.version || version === this.#refusals.ignored) return
    const proposal = { from: 'file', kind: 'reread' } as const
    await this.#transact({ proposal, files: onDisk, report }).catch(() => {}) // It has said why.
  }

  /** What the config folder holds. */
  async #readDisk(): Promise<ConfigFiles> {
    const { readSettled, say, store } = this.#options
    return store.restoreEmptied(await readSettled(), this.#current.files, (message) => say('warn', message))
  }

  async #transact(attempt: Attempt): Promise<ChangeResult> {
    const { proposal } = attempt
    const next = await this.#check(attempt)
    const isNew = next.version !== this.#current.version
    const changes = changesBetween(this.#current, next)
    const reload = isOnDisk(proposal) && proposal.reload === true
    const carries = proposal.kind === 'set' ? proposal.carries : undefined
    const plan = planOf(changes, reload || (isNew && !this.#options.isProven()), carries)
    if (carries !== undefined) requireCarriable(this.#current, next)
    const result = { version: next.version, changes, warnings: next.warnings }
    if (proposal.isDryRun) return { ...result, result: 'planned' }
    if (!isNew && changes.length === 0 && !plan.generation) return { ...result, result: 'unchanged' }
    if (this.#options.isLeftToBoot(plan)) {
      if (!isOnDisk(proposal)) this.#requireUnedited()
      const { files } = next
      return this.#left.leave({ proposal, files, planned: result, current: this.#current.files })
    }
    await this.#apply(attempt, plan, next)
    this.#refusals.clear()
    this.#announce(proposal.from, changes)
    return { ...result, result: 'applied' }
  }

  async #check(attempt: Attempt): Promise<Configuration> {
    const { proposal, files, report } = attempt
    const { checkProposed, store } = this.#options
    try {
      report('checking')
      refuseInvalid(proposal)
      const next = await checkProposed(files)
      if (isOnDisk(proposal)) refuseLostDatabase(next, this.#current.files)
      if (isOnDisk(proposal) || proposal.kind === 'replace') refusePinnedEdits(files, this.#current)
      if (!isOnDisk(proposal) && !proposal.isDryRun && next.version !== this.#current.version)
        store.requireWritable()
      return next
    } catch (error) {
      return this.#refuse(attempt, 'rejected', [], toSupervisorError(error))
    }
  }

  async #apply(attempt: Attempt, plan: Plan, next: Configuration): Promise<void> {
    try {
      await this.#options.apply(plan, next, attempt.report, () => this.#commit(attempt, plan, next))
    } catch (thrown) {
      this.#refuse(attempt, 'rolled back', plan.changes, toSupervisorError(thrown))
    }
  }

  /** The point of no return: the file and the history say what is in force, or neither does. */
  #commit({ proposal }: Attempt, { changes }: Plan, next: Configuration): void {
    const { store } = this.#options
    store.keep(next.version, next.files)
    if (!isOnDisk(proposal)) this.#requireUnedited()
    try {
      if (!isOnDisk(proposal)) store.write(next.files)
      store.persist()
      this.#isUnrecorded = !this.#record(proposal.from, next.version, 'applied', changes, null)
    } catch (error) {
      if (!isOnDisk(proposal)) store.takeBack(next.files, this.#current.files)
      throw error
    }
    this.#current = next
  }

  /** What is not on the disk yet must not take the place of an edit that nobody has seen. */
  #requireUnedited(): void {
    const onDisk = versionOf(this.#options.read())
    if ([this.#current.version, this.#refusals.ignored].includes(onDisk)) return
    throw new SupervisorError('CONFIG_CONFLICT', 'cannot write the change: the files were edited meanwhile')
  }

  #announce(from: Origin, changes: readonly Change[]): void {
    const { say } = this.#options
    const { version, warnings } = this.#current
    const names = changes.map(({ name }) => name).join(', ')
    say('info', `configuration ${version} (${from}) is in force${names === '' ? '' : `: ${names}`}`)
    for (const warning of warnings) say('warn', warning)
  }

  /** Says and records why a change did not come about, and moves refused files aside. */
  #refuse(
    { proposal, files }: Attempt,
    result: 'rejected' | 'rolled back',
    changes: readonly Change[],
    error: SupervisorError,
  ): never {
    const { say, isStopping } = this.#options
    const onDisk = isOnDisk(proposal)
    if (proposal.isDryRun || (onDisk && isStopping())) throw error
    const version = versionOf(files)
    say('warn', `configuration ${version} (${proposal.from}) is ${result}: ${error.message}`)
    try {
      this.#record(proposal.from, version, result, changes, error.message)
    } catch {
      /* A full disk: the log has it. */
    }
    if (onDisk && version !== this.#current.version)
      this.#refusals.moveAside(files, this.#current.files, error)
    throw error
  }

  #record(
    from: Origin,
    version: string,
    result: HistoryEntry['result'],
    changes: readonly Change[],
    why: string | null,
  ): boolean {
    const { store, now } = this.#options
    return store.record({ at: new Date(now()).toISOString(), from, version, result, changes, why })
  }

  async #finishBoot(): Promise<void> {
    const { rejected, boot } = this.#options
    if (rejected) {
      this.#record('boot', versionOf(rejected.files), 'rejected', [], rejected.error.message)
      this.#refusals.moveAside(rejected.files, this.#current.files, rejected.error)
      // It was corrected before the boot was through.
      if (this.#current !== boot) this.#refusals.clearProblem()
    }
    await this.#persistBoot()
    const before = this.#current
    await this.#catchUp(() => {}) // An edit of these first seconds.
    if (this.#current !== before) await this.#persistBoot()
  }

  async #persistBoot(): Promise<void> {
    this.#current = await persistEnvironment(this.#options, this.#current)
    this.#isUnrecorded = !(await recordBoot(this.#options, () => this.#current))
  }
}
