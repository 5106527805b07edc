import { renderStatus, renderStatusView, type StatusFacts } from '../../page/console/status.ts'
import type { Status } from '../../core/status.ts'
import { Feed } from '../door/feed.ts'
import { sendEvents } from '../events.ts'
import type { Exchange } from '../exchange.ts'
import type { ControlOptions } from '../server.ts'
import { withMemory } from '../status.ts'
import { consoleHeaders, sendPart } from './send.ts'

/** The kernel takes some milliseconds to count memory: pages that follow see it as it was a moment ago. */
const memoryForMs = 10_000

const factsOf = (status: Status, { config, now }: ControlOptions): StatusFacts => ({
  status,
  history: config.store.readHistory(),
  nowMs: now(),
})

/** The status for open pages. It is looked at while there are some, and once for all of them. */
export class LiveStatus {
  readonly #options: ControlOptions
  readonly #feed: Feed
  #measured: Status | undefined
  #measuredMs = Number.NEGATIVE_INFINITY

  constructor(options: ControlOptions) {
    this.#options = options
    this.#feed = new Feed({ ...options, render: () => this.#render() })
  }

  async get(exchange: Exchange): Promise<void> {
    await this.#measure()
    const body = renderStatus(factsOf(this.#read(), this.#options))
    sendPart(exchange, this.#options, { section: 'status', body })
  }

  follow(exchange: Exchange): void {
    sendEvents(exchange, this.#options, {
      headers: consoleHeaders,
      whenBehind: 'skip',
      follow: (send) => this.#feed.follow(send),
    })
  }

  #render(): string {
    // What fails is shown as unknown.
    if (this.#options.elapsed() >= this.#measuredMs + memoryForMs) this.#measure().catch(() => {})
    return JSON.stringify({ html: renderStatusView(factsOf(this.#read(), this.#options)) })
  }

  /** The status now, with the memory of processes that are still the same. */
  #read(): Status {
    const status = this.#options.status()
    const memoryOf = (pid: number | null): number | null =>
      (pid !== null && this.#measured?.units.find((unit) => unit.pid === pid)?.memoryBytes) || null
    return { ...status, units: status.units.map((unit) => ({ ...unit, memoryBytes: memoryOf(unit.pid) })) }
  }

  async #measure(): Promise<void> {
    const { status, memoryOf, elapsed } = this.#options
    this.#measuredMs = elapsed()
    this.#measured = await withMemory(status(), memoryOf)
  }
}
