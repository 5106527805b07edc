import type { OutgoingHttpHeaders } from 'node:http'
import type { Exchange } from './exchange.ts'
import type { Parts } from './parts.ts'

/** A page opens the stream again by itself: one that nobody closes must not last for ever. */
const streamLimitMs = 600_000
const behindLimitBytes = 1_000_000

/** What a stream ends with. */
export type EventParts = {
  readonly clock: Pick<Parts['clock'], 'after'>
  readonly container: Pick<Parts['container'], 'isKept'>
  readonly instance: Pick<Parts['instance'], 'isStopping'>
}

type Events = {
  readonly headers: OutgoingHttpHeaders
  /** What becomes of a reader that takes nothing in: it gets no more, or its connection ends. */
  readonly whenBehind: 'skip' | 'cut off'
  /** Whether its reader may hear no more. */
  readonly isOver?: () => boolean
  /** Gets the function that sends one, and returns that which ends it. */
  readonly follow: (send: (data: string) => void) => () => void
}

/** Server-sent events, until either side ends them or the container stops. */
export const sendEvents = (
  { response }: Pick<Exchange, 'response'>,
  { clock, instance, container }: EventParts,
  { headers, whenBehind, isOver = () => false, follow }: Events,
): void => {
  if (response.destroyed) return // Its reader has left: nobody would hear of that any more.
  response.writeHead(200, { 'content-type': 'text/event-stream', ...headers })
  const cancelEnd = clock.after(streamLimitMs, () => response.end())
  const leave = follow((data) => {
    if (response.writableEnded) return // It closes once its reader has taken the rest.
    if (isOver()) return void response.end()
    if (response.writableLength > behindLimitBytes) response.destroy()
    else if (whenBehind === 'cut off' || !response.writableNeedDrain) response.write(`data: ${data}\n\n`)
    if (instance.isStopping && !container.isKept()) response.end()
  })
  response.once('close', () => {
    leave()
    cancelEnd()
  })
}
