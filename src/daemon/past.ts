import type { PastStatus } from '../core/status.ts'
import { SupervisorError } from '../errors.ts'
import { minuteOf } from '../core/moment.ts'
import { inWords } from '../core/outcome.ts'
import type { System } from '../system/ports.ts'
import type { RunningProcess } from '../system/process.ts'
import { forgetPast, registerPast } from '../units/mathesar/past.ts'
import { inRun, inVolume, type Place } from '../units/place.ts'
import { askPast, pastServer } from '../units/postgres/past.ts'
import type { Instance } from './instance.ts'
import type { Keeper } from './keeper.ts'

/** How long its server may take to start: it was shut down in order. */
const startLimitMs = 60_000

type Options = {
  readonly system: System
  readonly place: Place
  readonly instance: Pick<Instance, 'inForce' | 'isReady' | 'results'> & {
    readonly sleeper: Pick<Instance['sleeper'], 'stayAwake'>
  }
  /** Resolves once what a kill left of an earlier one is removed. */
  readonly whenCleared: () => Promise<void>
}

/** A moment that is gone, in ISO 8601, and for how long it is served. */
type Past = { readonly at: string; readonly forMs: number }

type Run = { readonly over: AbortController; readonly ended: Promise<void> }

const refusal = (why: string, hint: string): SupervisorError =>
  new SupervisorError('UNDO_REFUSED', `cannot serve that moment: ${why}`, { hint })

const tryAgain = '`supervisor logs` may say more. Type the same again.'

/** Aborts when the server ends by itself. */
const endOf = (server: RunningProcess): AbortSignal => {
  const gone = new AbortController()
  void server.ended.then((outcome) => gone.abort(refusal(`its Postgres ${inWords(outcome)}`, tryAgain)))
  return gone.signal
}

/**
 * Serves the cluster of a moment that lies ready in the volume, beside the one of today, until its time is
 * over. Mathesar knows it as one more server meanwhile. The next start removes what a kill leaves of it.
 */
export class PastKeeper implements Keeper {
  readonly #options: Options
  #run: Run | undefined
  #status: PastStatus | null = null
  #isStopping = false

  constructor(options: Options) {
    this.#options = options
  }

  status(): PastStatus | null {
    return this.#status
  }

  /** Resolves once Mathesar knows it. */
  async serve(past: Past): Promise<void> {
    const { system, place, instance } = this.#options
    if (this.#run !== undefined)
      throw refusal('one is served already', '`supervisor yesterday --end` ends it.')
    if (!instance.isReady) throw refusal('Mathesar is not ready', '`supervisor status` says why.')
    if (!system.files.isThere(`${inVolume(place.paths).past}/postgres/standby.signal`))
      throw refusal('it is not there', 'Type `supervisor yesterday 10:15`.')
    const served = Promise.withResolvers<void>()
    const over = new AbortController()
    const ended = instance.sleeper
      .stayAwake(() => this.#serve(past, over.signal, served.resolve))
      .catch(served.reject) // Once it is served nobody hears that: the log has what went wrong.
      .finally(() => (this.#run = undefined))
    this.#run = { over, ended }
    await served.promise
  }

  /** Resolves once nothing of it is left. */
  async end(): Promise<void> {
    const run = this.#run
    if (run === undefined)
      throw new SupervisorError('UNDO_REFUSED', 'cannot end it: no moment is served', {
        hint: '`supervisor yesterday 10:15` serves one.',
      })
    run.over.abort(refusal('it was ended', 'Type the same again.'))
    await run.ended
  }

  /** Everything stops. */
  stop(): void {
    this.#isStopping = true
    this.#run?.over.abort(refusal('everything stops', 'Type the same again.'))
  }

  async #serve({ at, forMs }: Past, over: AbortSignal, served: () => void): Promise<void> {
    const { system, place } = this.#options
    const { files, setOwner, log, clock } = system
    const socket = inRun(place.paths).pastSocket
    files.makeFolder(socket, 0o755)
    setOwner(socket, place.identities.postgres, 0o755)
    const server = system.startProcess(pastServer(place), log.lines('yesterday'))
    const until = AbortSignal.any([over, endOf(server)])
    try {
      await this.#waitUntilUp(until)
      const label = `${minuteOf(at)} UTC`
      await this.#options.whenCleared()
      await registerPast(this.#scope, label, until)
      this.#status = { at, until: new Date(clock.now() + forMs).toISOString() }
      log.say('info', `${label} is served beside, until ${minuteOf(this.#status.until)} UTC`)
      served()
      await clock.delay(forMs, until).catch((why: Error) => {
        if (!over.aborted) log.say('warn', why.message)
      })
    } finally {
      await this.#leave(server).finally(() => (this.#status = null))
    }
  }

  #waitUntilUp(signal: AbortSignal): Promise<unknown> {
    return this.#options.system.retry(() => askPast(this.#options), { forMs: startLimitMs, signal })
  }

  async #leave(server: RunningProcess): Promise<void> {
    const { system, place } = this.#options
    if (!this.#isStopping) await forgetPast(this.#scope)
    server.signal('SIGQUIT') // Nothing of it is kept.
    await server.ended
    if (this.#isStopping) return
    system.files.remove(inVolume(place.paths).past)
    system.log.say('info', 'the moment that was served beside is gone')
  }

  get #scope() {
    const { system, place, instance } = this.#options
    const { volume, secrets } = instance.results
    if (volume === undefined || secrets === undefined)
      throw refusal('Mathesar is not ready', '`supervisor status` says why.')
    const results = { volume, secrets }
    return { system, place, inForce: instance.inForce, results, isBoot: false, report: () => {} }
  }
}
