import { type Exchange, sendText } from '../exchange.ts'
import type { ControlOptions } from '../server.ts'

const answer = (exchange: Exchange, isSo: boolean, word: string): void =>
  sendText(exchange, isSo ? 200 : 503, `${isSo ? '' : 'not '}${word}\n`, { 'cache-control': 'no-store' })

/** Whether a restart of the container could help: 200 as long as the supervisor answers. */
export const getLive = (exchange: Exchange): void => answer(exchange, true, 'live')

/** Whether Mathesar takes requests: 200 or 503. */
export const getReady = (exchange: Exchange, { instance }: ControlOptions): void =>
  answer(exchange, instance.isReady, 'ready')

/** Whether the boot is over: 200 from the first time that everything was ready. */
export const getStarted = (exchange: Exchange, { instance }: ControlOptions): void =>
  answer(exchange, instance.wasReady, 'started')
