import type { Seen } from '../../core/settling.ts'
import type { Problem, Status } from '../../core/status.ts'
import {
  configFiles,
  type ConfigFiles,
  type Configuration,
  type InForce,
} from '../../settings/configuration.ts'
import { permittedHosts, type Refusal, trustedOrigins } from '../../settings/hosts.ts'
import { changesBetween, inForceOf, type Plan, planOf } from '../../settings/plan.ts'
import type { Proposal } from '../../settings/proposal.ts'
import { secretsOf } from '../../settings/secrets.ts'
import { settingNames } from '../../settings/table.ts'
import type { System } from '../../system/ports.ts'
import { requireNewUsable } from '../../units/backup-folder.ts'
import { inVolume } from '../../units/place.ts'
import { toSupervisorError } from '../../errors.ts'
import { reachExternal } from '../../units/postgres/external.ts'
import { type Ending, startOver } from '../ending.ts'
import type { Instance } from '../instance.ts'
import { Subscribers } from '../subscribers.ts'
import { stoppingError } from '../verdict.ts'
import { checkFiles, readContent, type Setup } from './boot-trial.ts'
import type { Report } from './change.ts'
import { Changes } from './changes.ts'
import { RefusedRequests } from './refused-requests.ts'
import { WatchedFolder } from './watched-folder.ts'

/** A boot takes less. It need not wait for the watcher's library. */
const watchLateMs = 10_000

const startOverAfterMs = 200

/**
 * The configuration of a running instance: it joins the changes with the watcher,
 * the store and the instance that they act on.
 */
export class Config {
  readonly changes: Changes
  /** Called with each change that was undone. */
  readonly rolledBack = new Subscribers<Problem>()
  readonly #system: System
  readonly #setup: Setup
  readonly #instance: Instance
  readonly #ending: Ending
  readonly #refused: RefusedRequests
  #cancelStartOver = (): void => {}
  #trials = new AbortController()
  readonly #cancelWatch: () => void
  readonly #folder: WatchedFolder
  #isChangeable = false

  constructor(system: System, setup: Setup, instance: Instance, ending: Ending) {
    this.#system = system
    this.#setup = setup
    this.#instance = instance
    this.#ending = ending
    this.#refused = new RefusedRequests(
      () => ({
        hosts: permittedHosts(instance.inForce.settings),
        origins: trustedOrigins(instance.inForce.settings),
        isPinned: (name) => instance.inForce.values[name].source === 'environment',
      }),
      system,
    )
    this.#folder = new WatchedFolder({
      system,
      folder: inVolume(setup.place.paths).config,
      onChange: () => this.#propose({ from: 'file', kind: 'reread' }),
    })
    this.changes = this.#createChanges()
    instance.subscribe((event) => {
      if (event.type === 'line') this.#refused.see(event.unit, event.line)
      if (event.type === 'ready') system.inBackground('record the configuration', () => this.#settle())
    })
    void instance.whenChangeable.then(() => {
      this.#isChangeable = true
    })
    // A boot that does not get ready may be corrected by an edit.
    this.#cancelWatch = system.clock.after(
      watchLateMs,
      () => void instance.whenChangeable.then(() => this.#startWatching()),
    )
  }

  /** The web server in front refused a request for its Host. */
  seeRefused(refusal: Refusal): void {
    this.#refused.add(refusal)
  }

  get inForce(): InForce {
    return this.#instance.inForce
  }

  get store(): Setup['store'] {
    return this.#setup.store
  }

  /**
   * Whether nothing was ever set up here, as far as the volume knows: beside an external database a container
   * may be new at each start.
   */
  get isNew(): boolean {
    const { wasReady, inForce } = this.#instance
    return !wasReady && inForce.database.kind === 'embedded' && this.store.lastGood() === undefined
  }

  /** Throws unless the database of these settings can be used, within seconds. */
  async tryDatabase(inForce: InForce = this.changes.current): Promise<void> {
    const { signal } = this.#trials
    const reached = reachExternal({ system: this.#system, place: this.#setup.place, inForce }, signal)
    await reached.finally(() => signal.throwIfAborted()) // Everything stops: that is why.
  }

  status(): Status['config'] {
    const { current, isChanging } = this.changes
    const { values } = this.#instance.inForce
    return {
      version: current.version,
      changing: isChanging,
      pendingRestart: settingNames.filter((name) => current.values[name].value !== values[name].value),
    }
  }

  problems(): readonly Problem[] {
    const { problem } = this.changes
    return [...(problem ? [problem] : []), ...this.#folder.problems(), ...this.#refused.problems()]
  }

  /** Reads the config folder again, and makes a new generation of Mathesar in any case. */
  reload(): void {
    this.#propose({ from: 'signal', kind: 'reread', reload: true })
  }

  async close(): Promise<void> {
    this.#cancelWatch()
    this.#cancelStartOver()
    if (this.changes.isLeftToBoot) this.#ending.startOver() // Somebody was told so.
    this.#trials.abort(stoppingError())
    this.#trials = new AbortController() // A container that stays for its page tries others.
    await this.#folder.close()
  }

  #createChanges(): Changes {
    const { clock, log } = this.#system
    const { place, store, configuration: boot, rejected } = this.#setup
    return new Changes({
      boot,
      rejected,
      environment: place.environment,
      store,
      now: clock.now,
      say: log.say,
      readSettled: async () => {
        const seen = await this.#folder.readSettled()
        return seen === undefined ? readContent(this.#system, place) : this.#contentOf(seen)
      },
      read: () => readContent(this.#system, place),
      isStopping: () => this.#instance.isStopping,
      isProven: () => this.#instance.wasReady,
      check: (files) => this.#check(files),
      checkProposed: (files) => this.#checkProposed(files),
      isLeftToBoot: (plan) =>
        this.#ending.isKept ||
        (plan.database && plan.carries === undefined && !this.#isChangeable && !this.#instance.isStopping),
      startOver: () => this.#startOver(),
      apply: (plan, next, report, commit) => this.#apply(plan, next, report, commit),
    })
  }

  async #check(files: ConfigFiles): Promise<Configuration> {
    const checked = await checkFiles(this.#system, this.#setup.place, files)
    const { secrets } = this.#instance.results
    // Those in force once more, and last: however many changes are tried, the log goes on to leave them out.
    this.#system.log.addSecret(
      ...secretsOf(checked),
      ...secretsOf(this.changes.current),
      secrets?.secretKey,
      secrets?.superuserPassword,
    )
    return checked
  }

  async #apply(plan: Plan, next: Configuration, report: Report, commit: () => void): Promise<void> {
    try {
      await this.#instance.change(plan, inForceOf(this.#setup.configuration.values, next), report, commit)
    } catch (thrown) {
      const { code, message, hint } = toSupervisorError(thrown)
      if (!this.#instance.isStopping) this.rolledBack.emit({ unit: 'config', code, message, hint })
      throw thrown
    }
  }

  async #checkProposed(files: ConfigFiles): Promise<Configuration> {
    const checked = await this.#check(files)
    requireNewUsable({ system: this.#system, place: this.#setup.place }, this.changes.current, checked)
    if (planOf(changesBetween(this.changes.current, checked)).database) await this.tryDatabase(checked)
    return checked
  }

  #startOver(): void {
    this.#system.log.say('info', 'the container starts over with the changed settings')
    // Whoever asked for it is answered first.
    const running = { system: this.#system, instance: this.#instance, ending: this.#ending }
    this.#cancelStartOver = this.#system.clock.after(startOverAfterMs, () => startOver(running))
  }

  async #settle(): Promise<void> {
    await this.changes.settle()
    this.#startWatching()
  }

  #startWatching(): void {
    if (!this.#instance.isStopping) this.#folder.start()
  }

  /** A file that cannot be used is not an edit: what is in force of it stays. */
  #contentOf({ files, unusable }: Seen): ConfigFiles {
    const { current } = this.changes
    return Object.fromEntries(
      configFiles.map((name) => [name, name in unusable ? current.files[name] : files[name]]),
    ) as ConfigFiles
  }

  #propose(proposal: Proposal): void {
    this.changes.propose(proposal).catch(() => {}) // It has said why.
  }
}
