import { errorTable, type ErrorCode } from '../../errors.ts'
import { renderView } from '../../page/render.ts'
import { type View, type ViewFacts, viewOf } from '../../page/view.ts'
import type { ControlOptions } from '../server.ts'

export type FeedOptions = Pick<ControlOptions, 'now' | 'after' | 'isKept'> & {
  readonly instance: Pick<ControlOptions['instance'], 'isServing' | 'subscribe'>
  readonly config: Pick<ControlOptions['config'], 'isNew'>
  readonly log: Pick<ControlOptions['log'], 'tail'>
  readonly status: () => ViewFacts['status']
}
type Reader = (message: string) => void

/** How often open pages are told at the most. */
const leastPauseMs = 100
/** A step under way shows its seconds. */
const refreshMs = 1000

const tailLines = 40

/** What everybody may see of the boot now; the owner sees more of it. */
export const readView = (
  { status, instance, config, log, isKept, now }: FeedOptions,
  isOwner = false,
): View =>
  viewOf({
    status: status(),
    isServing: instance.isServing,
    isKept: isKept(),
    rowOf: (code) => errorTable[code as ErrorCode],
    readTail: isOwner || config.isNew ? () => log.tail(undefined, tailLines).join('') : undefined,
    nowMs: now(),
  })

/**
 * What all open pages are told: {"html", "isServing"}. It is rendered once for all of them, and not at all
 * while there are none: a crowd of strangers must not delay a boot.
 */
export class Feed {
  readonly #options: FeedOptions
  readonly #readers = new Set<Reader>()
  #unsubscribe = (): void => {}
  #cancel = (): void => {}
  #sentMs = Number.NEGATIVE_INFINITY
  #last = ''

  constructor(options: FeedOptions) {
    this.#options = options
  }

  /** Hands the reader what is so now, and then each change. Returns the function that ends that. */
  follow(reader: Reader): () => void {
    this.#readers.add(reader)
    if (this.#readers.size === 1) {
      this.#unsubscribe = this.#options.instance.subscribe(() => this.#sendWithin(leastPauseMs))
      this.#send()
    } else reader(this.#last)
    return () => this.#leave(reader)
  }

  #leave(reader: Reader): void {
    if (!this.#readers.delete(reader) || this.#readers.size > 0) return
    this.#unsubscribe()
    this.#cancel()
  }

  #sendWithin(pauseMs: number): void {
    const { now, after } = this.#options
    this.#cancel()
    this.#cancel = after(Math.max(0, this.#sentMs + pauseMs - now()), () => this.#send())
  }

  #send(): void {
    const { instance, now } = this.#options
    this.#sentMs = now()
    const html = renderView(readView(this.#options))
    this.#last = JSON.stringify({ html, isServing: instance.isServing })
    this.#sendWithin(refreshMs)
    for (const reader of this.#readers) reader(this.#last)
  }
}
