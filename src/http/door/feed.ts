import { errorTable, type ErrorCode } from '../../errors.ts'
import { renderView } from '../../page/render.ts'
import { type View, type ViewFacts, viewOf } from '../../page/view.ts'
import type { Parts } from '../parts.ts'

/** What the page of the boot shows. */
export type ViewParts = {
  readonly clock: Pick<Parts['clock'], 'now'>
  readonly container: Pick<Parts['container'], 'isKept' | 'isRestoring'>
  readonly instance: Pick<Parts['instance'], 'isServing'>
  readonly config: Pick<Parts['config'], 'isNew'>
  readonly log: Pick<Parts['log'], 'tail'>
  readonly report: { readonly status: () => ViewFacts['status'] }
}
export type FeedParts = {
  readonly clock: Pick<Parts['clock'], 'elapsed' | 'after'>
  readonly instance: Pick<Parts['instance'], 'subscribe'>
}
type Reader = (message: string) => void

/** How often open pages are told at the most. */
const leastPauseMs = 100
/** A step under way shows its seconds. */
const refreshMs = 1000

const tailLines = 40

/** What everybody may see of the boot now; the owner sees more of it. */
export const readView = (
  { report, instance, config, log, container, clock }: ViewParts,
  isSignedIn = false,
): View =>
  viewOf({
    status: report.status(),
    isServing: instance.isServing,
    isKept: container.isKept(),
    isRestoring: container.isRestoring(),
    rowOf: (code) => errorTable[code as ErrorCode],
    readTail: isSignedIn || config.isNew ? () => log.tail(undefined, tailLines).join('') : undefined,
    nowMs: clock.now(),
  })

type Options = FeedParts & {
  /** What all readers are told now. */
  readonly render: () => string
}

/** What pages of the boot are told: {"html", "isServing"}. */
export const bootMessage = (parts: ViewParts): string =>
  JSON.stringify({ html: renderView(readView(parts)), isServing: parts.instance.isServing })

/**
 * What all open pages of a kind are told. It is rendered once for all of them, and not at all while there are
 * none: a crowd of strangers must not delay a boot.
 */
export class Feed {
  readonly #options: Options
  readonly #readers = new Set<Reader>()
  #unsubscribe = (): void => {}
  #cancel = (): void => {}
  #sentMs = Number.NEGATIVE_INFINITY
  #last = ''

  constructor(options: Options) {
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
    const { clock } = this.#options
    this.#cancel()
    this.#cancel = clock.after(Math.max(0, this.#sentMs + pauseMs - clock.elapsed()), () => this.#send())
  }

  #send(): void {
    const { clock, render } = this.#options
    this.#sentMs = clock.elapsed()
    this.#last = render()
    this.#sendWithin(refreshMs)
    for (const reader of this.#readers) reader(this.#last)
  }
}
