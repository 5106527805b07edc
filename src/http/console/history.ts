import { renderHistory } from '../../page/console/history.ts'
import type { Outcome } from '../../page/console/settings.ts'
import { findRevision } from '../config.ts'
import type { Exchange } from '../exchange.ts'
import type { ControlOptions } from '../server.ts'
import { carryOut, outcomeBefore, refusedBy, sendOutcome } from './change.ts'
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

const goBack = async (form: URLSearchParams, options: ControlOptions): Promise<Outcome> => {
  const rollback = form.get('rollback') ?? ''
  try {
    const files = findRevision(rollback, options.config)
    return await carryOut({ proposal: { from: 'rollback', kind: 'restore', files }, form, rollback }, options)
  } catch (error) {
    return refusedBy(error)
  }
}

/** Plans a way back, or goes it. */
export const postHistory = async (
  exchange: Exchange,
  options: ControlOptions,
  form: URLSearchParams,
): Promise<void> => {
  const outcome = await goBack(form, options)
  sendOutcome(exchange, 'history', outcome, (status) => sendHistory(exchange, options, outcome, status))
}
