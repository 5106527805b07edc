import { mathesarHandover } from '../../units/place.ts'
import type { Exchange } from '../exchange.ts'
import type { Parts } from '../parts.ts'

/** The door waits for 60 s. */
const wakeLimitMs = 50_000
/** So many may wait. The others are told to come again: there are connections left for health. */
const mostWaiting = 512

/** What a visitor who waits for Mathesar needs. */
export type WaitParts = Pick<Parts, 'instance' | 'clock'> & {
  readonly visitors: Pick<Parts['visitors'], 'waiting'>
}

const wake = async ({ instance, clock }: Pick<WaitParts, 'instance' | 'clock'>): Promise<void> => {
  const { promise: late, resolve } = Promise.withResolvers<void>()
  const cancel = clock.after(wakeLimitMs, resolve)
  await Promise.race([instance.sleeper.wake().catch(() => {}), late]) // The status says why it does not.
  cancel()
}

const untilBack = ({ instance }: Pick<WaitParts, 'instance'>): Promise<void> =>
  new Promise((resolve) => {
    const forget = instance.subscribe(() => {
      if (instance.isBackSoon) return
      forget()
      resolve()
    })
  })

/** Whether a visitor who waits may be served: Mathesar sleeps, or is back in a moment. */
export const mayWait = ({ instance }: Pick<WaitParts, 'instance'>): boolean =>
  instance.sleeper.isAsleep || instance.isBackSoon

/** Has a visitor wait for Mathesar as long as that may help; whether it serves then. */
export const waitForMathesar = async (parts: WaitParts): Promise<boolean> => {
  const { instance, visitors } = parts
  if (!mayWait(parts)) return instance.isServing
  if (visitors.waiting >= mostWaiting) return false
  visitors.waiting++
  await (instance.sleeper.isAsleep ? wake(parts) : untilBack(parts))
  visitors.waiting--
  return instance.isServing
}

/** The door asks Mathesar again. It has kept the method and the body. */
export const handOn = ({ response }: Exchange, to = mathesarHandover): void =>
  void response.writeHead(200, { 'x-accel-redirect': to }).end()
