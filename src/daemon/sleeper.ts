import type { Phase } from '../core/phase.ts'
import type { Milliseconds } from '../core/unit.ts'
import { SupervisorError } from '../errors.ts'
import type { Settings } from '../settings/typed.ts'
import type { System } from '../system/ports.ts'
import type { Scope, ServiceUnit } from '../units/unit.ts'
import type { Place } from '../units/place.ts'
import type { Roster } from './roster.ts'
import type { Service } from './service.ts'
import type { Worlds } from './worlds.ts'
import { stoppingError } from './verdict.ts'

/** How long visitors are held back before what sleeps stops: for those who came through at that moment. */
const settleMs = 200
const pollsInTime = 10
const leastPauseMs = 500
const mostPauseMs = 30_000

type Options = {
  readonly system: System
  readonly settings: () => Pick<Settings, 'SLEEP_AFTER'>
  /** Those that may sleep, in the order in which they start. */
  readonly services: () => readonly Service[]
  /** Whether somebody would tell that a visitor comes. */
  readonly canBeWoken: boolean
  readonly scopeOf: (unit: ServiceUnit) => Scope
  readonly phase: () => Phase
  /** Aborts when everything stops. */
  readonly signal: AbortSignal
  /** Whether somebody waits on a socket of theirs. */
  readonly isAwaited: () => boolean
  readonly onChange: () => void
}

const isIdle = ({ state }: Service): boolean =>
  state.name === 'ready' && state.candidate === undefined && state.retiring.length === 0

/**
 * Stops what nobody wants (SLEEP_AFTER), and starts it again for the first who does. The sockets stay, and
 * the door hands visitors to the supervisor meanwhile. Asleep there is no timer: whoever comes calls `wake`.
 */
export class Sleeper {
  readonly #options: Options
  #isAsleep = false
  #holds = 0
  #wantedMs = 0
  #falling: Promise<void> | undefined
  #waking: Promise<void> | undefined
  #cancel = (): void => {}

  constructor(options: Options) {
    this.#options = options
    options.signal.addEventListener('abort', () => this.#cancel())
  }

  /** From the moment that visitors are held back until they are served again. */
  get isAsleep(): boolean {
    return this.#isAsleep
  }

  /** Aborts when everything stops. */
  get stopping(): AbortSignal {
    return this.#options.signal
  }

  /** Whether a service is ready, or would be for whoever comes. */
  isUp({ unit, state }: Service): boolean {
    return state.name === 'ready' || (this.#isAsleep && unit.lastUsedMs !== undefined)
  }

  /** Looks from now on whether anybody comes: once everything is up, and when the settings have changed. */
  watch(): void {
    this.#cancel()
    this.#wantedMs ||= this.#nowMs // It was wanted until it was up.
    const { SLEEP_AFTER: afterMs } = this.#options.settings()
    const { signal, canBeWoken } = this.#options
    if (this.#isAsleep || signal.aborted || !canBeWoken || afterMs === Number.POSITIVE_INFINITY) return
    const pauseMs = Math.min(mostPauseMs, Math.max(leastPauseMs, afterMs / pollsInTime))
    const { clock, inBackground } = this.#options.system
    this.#cancel = clock.after(pauseMs, () =>
      inBackground('see whether anybody comes', async () => {
        this.#falling = this.#poll(afterMs)
        await this.#falling.finally(() => this.watch())
      }),
    )
  }

  /** Somebody comes. Resolves once they are served; rejects when they cannot be. */
  async wake(): Promise<void> {
    this.#wantedMs = this.#nowMs
    if (!this.#isAsleep) return
    this.#waking ??= this.#wakeUp().finally(() => {
      this.#waking = undefined
    })
    await this.#waking
  }

  /** Wakes what sleeps, and keeps it awake meanwhile. */
  async stayAwake<T>(act: () => Promise<T>): Promise<T> {
    this.#holds += 1
    try {
      await this.wake()
      return await act()
    } finally {
      this.#holds -= 1
    }
  }

  /**
   * Has all that may sleep rest while `act` goes on, whoever comes: visitors wait until it is awake again.
   * Throws where not all of it is ready.
   */
  async restWhile(act: () => Promise<void>): Promise<void> {
    await this.wake()
    await this.#falling?.catch(() => {})
    const services = this.#options.services()
    if (!this.#mayRest(services))
      throw new SupervisorError('USAGE', 'cannot stop Mathesar for a while: not everything is ready')
    const over = Promise.withResolvers<void>()
    this.#cancel()
    this.#isAsleep = true
    const waking = over.promise.then(() => this.#wakeUp())
    this.#waking = waking
    try {
      for (const service of services) service.setHidden(true)
      const { stopping } = this
      await this.#options.system.clock.delay(settleMs, stopping).catch(() => stopping.throwIfAborted())
      await this.#layDown(services)
      await act()
    } finally {
      over.resolve()
      await waking.catch(() => {}) // The status says why it does not serve.
      this.#waking = undefined
    }
  }

  get #nowMs(): Milliseconds {
    return this.#options.system.clock.now()
  }

  #mayRest(services: readonly Service[]): boolean {
    return this.#options.phase() === 'running' && services.every(isIdle)
  }

  /** Whether all that may sleep is at rest, and nobody wanted it for so long. */
  async #isUnused(services: readonly Service[], forMs: Milliseconds): Promise<boolean> {
    if (services.length === 0 || !this.#mayRest(services)) return false
    const used = await Promise.all(
      services.map(async ({ unit }) => await unit.lastUsedMs?.(this.#options.scopeOf(unit))),
    ).catch(() => [this.#nowMs])
    return this.#holds === 0 && this.#nowMs - Math.max(this.#wantedMs, ...used.map((ms) => ms ?? 0)) >= forMs
  }

  async #poll(afterMs: Milliseconds): Promise<void> {
    const services = this.#options.services()
    if (!(await this.#isUnused(services, afterMs))) return
    this.#isAsleep = true
    for (const service of services) service.setHidden(true)
    await this.#options.system.clock.delay(settleMs, this.#options.signal).catch(() => {})
    if (!(await this.#isUnused(services, afterMs))) return this.#showAll(services)
    this.#options.system.log.say('info', 'nobody came for a while: asleep until somebody does')
    await this.#layDown(services)
    if (this.#options.isAwaited()) this.#options.system.inBackground('wake', () => this.wake())
  }

  async #layDown(services: readonly Service[]): Promise<void> {
    this.#options.onChange()
    for (const service of services.toReversed()) await service.rest()
    this.#options.onChange()
  }

  #showAll(services: readonly Service[]): void {
    this.#isAsleep = false
    for (const service of services) service.setHidden(false)
  }

  async #wakeUp(): Promise<void> {
    await this.#falling?.catch(() => {})
    const { services: find, signal, system, onChange } = this.#options
    if (!this.#isAsleep) return
    if (signal.aborted) throw stoppingError()
    const beganMs = this.#nowMs
    const services = find()
    for (const service of services) {
      service.setHidden(false)
      service.start()
    }
    try {
      for (const service of services) await this.#open(service)
      system.log.say('info', `awake after ${this.#nowMs - beganMs} ms`)
    } finally {
      for (const service of services) service.open() // A service that failed does not keep the others away.
      this.#isAsleep = false
      onChange()
      this.watch()
    }
  }

  /** Those before it are ready now: it may serve. */
  async #open(service: Service): Promise<void> {
    service.open()
    const state = await service.reached('ready', 'backoff', 'failed', 'stopped')
    if (state === 'ready') return
    throw new SupervisorError('USAGE', `cannot wake ${service.unit.name}: it is ${state}`)
  }
}

type Tools = Pick<Options, 'system' | 'phase' | 'signal' | 'onChange'> & {
  readonly place: Place
  readonly worlds: Worlds
  readonly roster: Roster
}

/** Joins it with what runs. Without the door nobody would tell that somebody comes: nothing sleeps there. */
export const createSleeper = ({ place, worlds, roster, ...tools }: Tools): Sleeper => {
  const maySleep = ({ unit }: Service): boolean =>
    unit.lastUsedMs !== undefined && worlds.skipReason(unit) === undefined
  return new Sleeper({
    ...tools,
    settings: () => worlds.current.inForce.settings,
    services: () => roster.services.filter(maySleep),
    canBeWoken: place.paths.nginx !== undefined,
    scopeOf: (unit) => worlds.scopeOf(unit),
    isAwaited: () => {
      const { upstream } = worlds.current.results
      return upstream !== undefined && tools.system.isAwaited(upstream.fd)
    },
  })
}
