import { excerpt } from '../core/message.ts'
import type { Problem } from '../core/status.ts'
import { type Message, messageFor } from '../settings/notify-url.ts'
import type { System } from '../system/ports.ts'
import type { Keeper } from './keeper.ts'

type Options = {
  readonly system: System
  /** Whom to tell; `undefined`: nobody. */
  readonly target: () => string | undefined
  readonly problems: () => readonly Problem[]
  /** Where people open Mathesar. */
  readonly address: () => string
}

const pollMs = 30_000
/** After a change of the status: more changes come together. */
const soonMs = 500
/** What comes and goes is told no more often. */
const quietMs = 600_000
const attemptMs = 5000
const retryMs = 20_000
const stopLimitMs = 2000
const waitingLimit = 20
const toldLimit = 100
const textLimit = 500

/** An answer that says no. */
class Refused extends Error {
  readonly status: number
  constructor(status: number) {
    super(`it answers ${status}`)
    this.status = status
  }
}

const isWorthIt = (error: unknown): boolean =>
  !(error instanceof Refused) || error.status >= 500 || error.status === 429

const keyOf = ({ unit, code }: Problem): string => `${unit} ${code}`

/**
 * Tells somebody outside of problems that have a code, each once until it is cured. It holds up nothing: what
 * cannot be told soon is dropped, and the log says so.
 */
export class Notifier implements Keeper {
  readonly #options: Options
  readonly #waiting: Message[] = []
  readonly #stopping = new AbortController()
  /** Problems of the status that were told, by their keys. */
  readonly #open = new Set<string>()
  /** When each was told, as this process counts. */
  readonly #toldMs = new Map<string, number>()
  #idle = Promise.resolve()
  #isSending = false
  #cancelPoll = (): void => {}

  constructor(options: Options) {
    this.#options = options
  }

  start(): void {
    this.#pollIn(pollMs)
  }

  /** Something in the status is different. */
  pollSoon(): void {
    if (this.#options.target() !== undefined) this.#pollIn(soonMs)
  }

  /** Tells of a problem, also of one that no status will have. Returns whether it does. */
  notify(problem: Problem): boolean {
    const { system, target } = this.#options
    const to = target()
    const elapsedMs = system.clock.elapsed()
    const toldMs = this.#toldMs.get(keyOf(problem))
    if (to === undefined || (toldMs !== undefined && elapsedMs - toldMs < quietMs)) return false
    this.#toldMs.delete(keyOf(problem))
    this.#toldMs.set(keyOf(problem), elapsedMs)
    const [oldest] = this.#toldMs.keys()
    if (oldest !== undefined && this.#toldMs.size > toldLimit) this.#toldMs.delete(oldest)
    if (this.#waiting.length < waitingLimit) this.#waiting.push(messageFor(to, this.#noticeOf(problem)))
    else system.log.say('warn', `cannot tell NOTIFY_URL: ${waitingLimit} other problems wait`)
    if (!this.#isSending) this.#idle = this.#sendAll()
    return true
  }

  /** Tells what is wrong at the end, and waits for it for a moment. */
  async stop(): Promise<void> {
    const { clock } = this.#options.system
    this.#poll()
    this.#cancelPoll()
    await Promise.race([this.#idle, clock.delay(stopLimitMs, this.#stopping.signal).catch(() => {})])
    this.#stopping.abort(new Error('everything stops'))
  }

  #pollIn(ms: number): void {
    this.#cancelPoll()
    this.#cancelPoll = this.#options.system.clock.after(ms, () => {
      this.#pollIn(pollMs)
      this.#poll()
    })
  }

  /** A status that cannot be read just now ends nothing. */
  #poll(): void {
    this.#options.system.inBackground('look for problems to tell of', () => this.#look())
  }

  #look(): void {
    if (this.#options.target() === undefined) return
    const problems = this.#options.problems().filter(({ code }) => code !== null)
    const keys = new Set(problems.map(keyOf))
    for (const key of this.#open) if (!keys.has(key)) this.#open.delete(key)
    for (const problem of problems)
      if (!this.#open.has(keyOf(problem)) && this.notify(problem)) this.#open.add(keyOf(problem))
  }

  /** The first line alone: those below may be of Mathesar's data. */
  #noticeOf({ unit, code, message, hint }: Problem) {
    const { system, address } = this.#options
    const clean = (text: string): string => excerpt(system.log.redact(text.split('\n')[0]!), textLimit)
    return {
      unit,
      code: code ?? '',
      message: clean(message),
      hint: clean(hint ?? ''),
      url: clean(address()),
      at: new Date(system.clock.now()).toISOString(),
    }
  }

  async #sendAll(): Promise<void> {
    const { log } = this.#options.system
    this.#isSending = true
    for (let message = this.#waiting.shift(); message !== undefined; message = this.#waiting.shift()) {
      await this.#send(message).catch((error: Error) =>
        log.say('warn', `cannot tell NOTIFY_URL of a problem: ${error.message}`),
      )
    }
    this.#isSending = false
  }

  async #send(message: Message): Promise<void> {
    const { system } = this.#options
    const { signal } = this.#stopping
    const attempt = async (): Promise<void> => {
      const status = await system.httpSend(message, attemptMs, signal)
      if (status >= 400) throw new Refused(status)
    }
    await system.retry(attempt, { forMs: retryMs, signal, isWorthIt })
  }
}
