import { type Exchange, sendText } from './exchange.ts'
import type { Parts } from './parts.ts'

/** Stops everything in order and boots again in the same container: a state that waits comes into force. */
export const postStartOver = (exchange: Exchange, { container }: Pick<Parts, 'container'>): void => {
  sendText(exchange, 200, 'starting over\n')
  container.startOver()
}
