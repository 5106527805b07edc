import { type Health, healthOf } from '../../core/health.ts'
import { type Exchange, sendJson, sendText } from '../exchange.ts'
import type { Parts } from '../parts.ts'

export type HealthParts = Pick<Parts, 'instance' | 'report' | 'clock'>

/** What the three questions, and `supervisor health`, all answer by. */
export const readHealth = ({ instance, report, clock }: HealthParts): Health => {
  const { phase, units } = report.status()
  const { isReady, wasReady } = instance
  return healthOf({
    phase,
    units: units.map(({ name, state }) => ({ name, state, forMs: instance.timeInState(name) })),
    isReady,
    wasReady,
    signsOf: report.signsOf,
    elapsedMs: clock.elapsed(),
  })
}

/** A word for probes, or all of it for who asks for JSON: the whole status looks at each process. */
const answer = (exchange: Exchange, parts: HealthParts, isSo: boolean, word: string): void => {
  const code = isSo ? 200 : 503
  const headers = { 'cache-control': 'no-store' }
  if ((exchange.request.headers.accept ?? '').includes('application/json'))
    return sendJson(exchange, code, readHealth(parts), headers)
  sendText(exchange, code, `${isSo ? '' : 'not '}${word}\n`, headers)
}

/** Whether a restart of the container could help: 200 as long as the supervisor answers. */
export const getLive = (exchange: Exchange, parts: HealthParts): void => answer(exchange, parts, true, 'live')

/** Whether Mathesar takes requests: 200 or 503. */
export const getReady = (exchange: Exchange, parts: HealthParts): void =>
  answer(exchange, parts, parts.instance.isReady, 'ready')

/** As Mathesar answers its own probes, for those that were written for its image. */
const answerAsMathesar = (exchange: Exchange, isSo: boolean): void =>
  sendJson(
    exchange,
    isSo ? 200 : 503,
    { status: isSo ? 'ok' : 'unavailable' },
    { 'cache-control': 'no-store' },
  )

/**
 * A boot or a migration is no reason for a restart, and Mathesar could say neither: of its probe a platform
 * would hear that nobody is there.
 */
export const getMathesarLive = (exchange: Exchange): void => answerAsMathesar(exchange, true)

export const getMathesarReady = (exchange: Exchange, { instance }: HealthParts): void =>
  answerAsMathesar(exchange, instance.isReady)

/** Whether the boot is over: 200 from the first time that everything was ready. */
export const getStarted = (exchange: Exchange, parts: HealthParts): void =>
  answer(exchange, parts, parts.instance.wasReady, 'started')
