import { mathesarHandover } from '../../units/place.ts'
import type { Exchange } from '../exchange.ts'
import type { ControlOptions } from '../server.ts'

/** The door waits for 60 s. */
const wakeLimitMs = 50_000
/** So many may wait. The others are told to come again: there are connections left for health. */
const mostWaiting = 512

type Awaited = Pick<ControlOptions, 'instance' | 'after' | 'visitors'>

const wake = async ({ instance, after }: Awaited): Promise<void> => {
  const { promise: late, resolve } = Promise.withResolvers<void>()
  const cancel = after(wakeLimitMs, resolve)
  await Promise.race([instance.sleeper.wake().catch(() => {}), late]) // The status says why it does not.
  cancel()
}

const untilBack = ({ instance }: Awaited): Promise<void> =>
  new Promise((resolve) => {
    const forget = instance.subscribe(() => {
      if (instance.isBackSoon) return
      forget()
      resolve()
    })
  })

/** Whether a visitor who waits may be served: Mathesar sleeps, or is back in a moment. */
export const mayWait = ({ instance }: Awaited): boolean => instance.sleeper.isAsleep || instance.isBackSoon

/** Has a visitor wait for Mathesar as long as that may help; whether it serves then. */
export const waitForMathesar = async (options: Awaited): Promise<boolean> => {
  const { instance, visitors } = options
  if (!mayWait(options)) return instance.isServing
  if (visitors.waiting >= mostWaiting) return false
  visitors.waiting++
  await (instance.sleeper.isAsleep ? wake(options) : untilBack(options))
  visitors.waiting--
  return instance.isServing
}

/** The door asks Mathesar again. It has kept the method and the body. */
export const handOn = ({ response }: Exchange, to = mathesarHandover): void =>
  void response.writeHead(200, { 'x-accel-redirect': to }).end()
