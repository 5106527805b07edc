import { renderHistory } from '../../page/console/history.ts'
import type { Outcome } from '../../page/console/settings.ts'
import { findRevision } from '../config.ts'
import type { Exchange } from '../exchange.ts'
import type { Parts } from '../parts.ts'
import { carryOut, outcomeBefore, sendOutcome, type Wish } from './change.ts'
import { sendPart } from './send.ts'

type HistoryParts = Pick<Parts, 'config' | 'entrance'>

const sendHistory = (
  exchange: Exchange,
  parts: HistoryParts,
  outcome: Outcome | undefined,
  status = 200,
): void => {
  const { store, changes } = parts.config
  const page = { history: store.readHistory(), version: changes.current.version, outcome }
  sendPart(exchange, parts, { section: 'history', body: renderHistory(page) }, status)
}

/** What was changed, when, from where, with what result. */
export const getHistory = (exchange: Exchange, parts: HistoryParts): void =>
  sendHistory(exchange, parts, outcomeBefore(exchange, parts))

/** Plans a way back, or goes it. */
export const postHistory = async (
  exchange: Exchange,
  parts: HistoryParts,
  form: URLSearchParams,
): Promise<void> => {
  const rollback = form.get('rollback') ?? ''
  const readWish = (): Wish => {
    const files = findRevision(rollback, parts.config)
    return { proposal: { from: 'rollback', kind: 'restore', files }, form, rollback }
  }
  const outcome = await carryOut(readWish, parts)
  sendOutcome(exchange, 'history', outcome, (status) => sendHistory(exchange, parts, outcome, status))
}
