import { dayMs } from '../core/amounts.ts'
import type { Problem } from '../core/status.ts'
import { pauseToPoll } from '../core/timers.ts'
import { type SupervisorError, toSupervisorError } from '../errors.ts'
import { idOf, whyRenew } from '../settings/certificate.ts'
import type { Plan } from '../settings/plan.ts'
import type { System } from '../system/ports.ts'
import { readGivenPair } from '../units/door/certificate.ts'
import type { Certificate } from '../units/results.ts'
import type { Changes } from './config/changes.ts'
import type { Instance } from './instance.ts'
import type { Keeper } from './keeper.ts'
import { repeat } from './repeat.ts'

/** Whoever renews a certificate has weeks for it; the files are compared by content. */
const pollMs = 3000
/** How often, where there is none or it is our own. */
const seldomMs = 5000
/** Ours is renewed when less than this is left of it. */
const renewMs = 30 * dayMs

const renewHint = 'Renew it: what TLS_CERTIFICATE and TLS_KEY hold then is put in force by itself.'

const plan: Plan = { changes: [], database: false, postgres: undefined, door: true, generation: false }

const problemOf = (code: string, message: string, hint: string): Problem => ({
  unit: 'supervisor',
  code,
  message,
  hint,
})

/** Names the day of a try to renew ours; `undefined` while that is not due. */
const whenDue = ({ notAfterMs }: Certificate, nowMs: number): string | undefined =>
  notAfterMs - nowMs < renewMs ? `due on day ${Math.floor(nowMs / dayMs)}` : undefined

type Serving = Pick<Instance, 'results' | 'inForce' | 'isStopping' | 'change'>

/**
 * Keeps the certificate of the door new: puts renewed files in force, and renews ours in time. A pair
 * that is bad changes nothing: the one before stays in force, and the status says why.
 */
export class Certificates implements Keeper {
  readonly #system: System
  readonly #instance: Serving
  readonly #changes: Pick<Changes, 'interrupt'>
  #refusal: SupervisorError | undefined
  /** What the files held at the poll before, and what of it was tried in vain. */
  #seen = ''
  #refused = ''
  readonly #stopping = new AbortController()

  constructor(system: System, instance: Serving, changes: Pick<Changes, 'interrupt'>) {
    this.#system = system
    this.#instance = instance
    this.#changes = changes
  }

  start(): void {
    const system = this.#system
    const isGiven = (): boolean => {
      const { certificate } = this.#instance.results
      return certificate !== undefined && certificate.authority === undefined
    }
    const pauseMs = (): number => pauseToPoll(system.clock.now(), isGiven() ? pollMs : seldomMs)
    const { signal } = this.#stopping
    repeat(system, { what: 'check the TLS certificate', pauseMs, signal }, () => this.#poll())
  }

  problems(): readonly Problem[] {
    const { certificate } = this.#instance.results
    if (certificate === undefined) return []
    const { code = '', message = '', hint = '' } = this.#refusal ?? {}
    const why = whyRenew(certificate, this.#system.clock.now())
    return [
      ...(message === '' ? [] : [problemOf(code, `${message}; the one before stays in force`, hint)]),
      ...(why === undefined ? [] : [problemOf('TLS_EXPIRING', why, renewHint)]),
    ]
  }

  stop(): void {
    this.#stopping.abort()
  }

  async #poll(): Promise<void> {
    const { certificate } = this.#instance.results
    if (certificate === undefined || this.#instance.isStopping) return
    const state = this.#readState(certificate)
    const isSettled = state === this.#seen
    this.#seen = state
    if (state === certificate.id) {
      this.#refusal = undefined
      this.#refused = ''
      return
    }
    if (isSettled && state !== this.#refused) await this.#renew(state)
  }

  /** Names what is there now; the id of the certificate in force where nothing is to be done. */
  #readState(certificate: Certificate): string {
    const { clock } = this.#system
    if (certificate.authority !== undefined) return whenDue(certificate, clock.now()) ?? certificate.id
    try {
      const pair = readGivenPair(this.#system, this.#instance.inForce.settings)
      return pair === undefined ? certificate.id : idOf(pair)
    } catch (error) {
      return (error as Error).message
    }
  }

  async #renew(state: string): Promise<void> {
    const { log } = this.#system
    const before = this.#instance.results.certificate?.id
    try {
      await this.#changes.interrupt(async () => {
        const { inForce } = this.#instance
        await this.#instance.change(
          plan,
          inForce,
          () => {},
          () => {},
        )
      })
      const now = this.#instance.results.certificate
      this.#refusal = undefined
      this.#refused = ''
      if (now !== undefined && now.id !== before)
        log.say('info', `a new TLS certificate is in force, until ${new Date(now.notAfterMs).toISOString()}`)
    } catch (thrown) {
      if (this.#instance.isStopping) return
      this.#refusal = toSupervisorError(thrown)
      this.#refused = state
      log.say('warn', `${this.#refusal.message}; the TLS certificate before stays in force`)
    }
  }
}
