import { renderHistory } from '../../page/console/history.ts'
import type { Outcome } from '../../page/console/settings.ts'
import { findRevision } from '../config.ts'
import type { Exchange } from '../exchange.ts'
import type { ControlOptions } from '../server.ts'
import { carryOut, outcomeBefore, sendOutcome, type Wish } from './change.ts'
import { sendPart } from './send.ts'

const sendHistory = (
  exchange: Exchange,
  options: ControlOptions,
  outcome: Outcome | undefined,
  status = 200,
): void => {
  const { store, changes } = options.config
  const page = { history: store.readHistory(), version: changes.current.version, outcome }
  sendPart(exchange, options, { section: 'history', body: renderHistory(page) }, status)
}

/** What was changed, when, from where, with what result. */
export const getHistory = (exchange: Exchange, options: ControlOptions): void =>
  sendHistory(exchange, options, outcomeBefore(exchange, options))

/** Plans a way back, or goes it. */
export const postHistory = async (
  exchange: Exchange,
  options: ControlOptions,
  form: URLSearchParams,
): Promise<void> => {
  const rollback = form.get('rollback') ?? ''
  const readWish = (): Wish => {
    const files = findRevision(rollback, options.config)
    return { proposal: { from: 'rollback', kind: 'restore', files }, form, rollback }
  }
  const outcome = await carryOut(readWish, options)
  sendOutcome(exchange, 'history', outcome, (status) => sendHistory(exchange, options, outcome, status))
}
