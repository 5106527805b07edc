import { type Exchange, sendText } from './exchange.ts'
import type { ControlOptions } from './server.ts'

/** Stops everything in order and boots again in the same container: a state that waits comes into force. */
export const postStartOver = (exchange: Exchange, { startOver }: ControlOptions): void => {
  sendText(exchange, 200, 'starting over\n')
  startOver()
}
