import { renderStatus, renderStatusView, type StatusFacts } from '../../page/console/status.ts'
import type { Status } from '../../core/status.ts'
import { Feed } from '../door/feed.ts'
import { sendEvents } from '../events.ts'
import type { Exchange } from '../exchange.ts'
import type { Parts } from '../parts.ts'
import { withMemory } from '../status.ts'
import { consoleHeaders, isSignedIn, sendPart } from './send.ts'

/** The kernel takes some milliseconds to count memory: pages that follow see it as it was a moment ago. */
const memoryForMs = 10_000

const factsOf = (status: Status, { config, clock }: Pick<Parts, 'config' | 'clock'>): StatusFacts => ({
  status,
  history: config.store.readHistory(),
  nowMs: clock.now(),
})

type LiveParts = Pick<Parts, 'clock' | 'instance' | 'container' | 'report' | 'config' | 'entrance'>

/** The status for open pages. It is looked at while there are some, and once for all of them. */
export class LiveStatus {
  readonly #parts: LiveParts
  readonly #feed: Feed
  #measured: Status | undefined
  #measuredMs = Number.NEGATIVE_INFINITY

  constructor(parts: LiveParts) {
    this.#parts = parts
    this.#feed = new Feed({ ...parts, render: () => this.#render() })
  }

  async get(exchange: Exchange): Promise<void> {
    await this.#measure()
    const body = renderStatus(factsOf(this.#read(), this.#parts))
    sendPart(exchange, this.#parts, { section: 'status', body })
  }

  follow(exchange: Exchange): void {
    sendEvents(exchange, this.#parts, {
      headers: consoleHeaders,
      whenBehind: 'skip',
      isOver: () => !isSignedIn(exchange, this.#parts),
      follow: (send) => this.#feed.follow(send),
    })
  }

  #render(): string {
    // What fails is shown as unknown.
    if (this.#parts.clock.elapsed() >= this.#measuredMs + memoryForMs) this.#measure().catch(() => {})
    return JSON.stringify({ html: renderStatusView(factsOf(this.#read(), this.#parts)) })
  }

  /** The status now, with the memory of processes that are still the same. */
  #read(): Status {
    const status = this.#parts.report.status()
    const memoryOf = (pid: number | null): number | null =>
      (pid !== null && this.#measured?.units.find((unit) => unit.pid === pid)?.memoryBytes) || null
    return { ...status, units: status.units.map((unit) => ({ ...unit, memoryBytes: memoryOf(unit.pid) })) }
  }

  async #measure(): Promise<void> {
    const { report, clock } = this.#parts
    this.#measuredMs = clock.elapsed()
    this.#measured = await withMemory(report.status(), report.memoryOf)
  }
}
