import { type Problem, renderStatus, type Status, type UnitStatus } from '../core/status.ts'
import { workInWords } from '../core/health.ts'
import { type HealthParts, readHealth } from './door/health.ts'
import { type Exchange, sendJson, sendText } from './exchange.ts'
import type { Parts } from './parts.ts'

/** The kernel takes some milliseconds to count memory: only for those who see it. */
export const withMemory = async (status: Status, memoryOf: Parts['report']['memoryOf']): Promise<Status> => {
  const measure = async (unit: UnitStatus): Promise<UnitStatus> =>
    unit.pid === null ? unit : { ...unit, memoryBytes: await memoryOf(unit.pid) }
  return { ...status, units: await Promise.all(status.units.map(measure)) }
}

/** The status: 200 when ready, else 503 with the same body. `?format=text`: the table that people read. */
export const getStatus = async (
  exchange: Exchange,
  { report, clock }: Pick<Parts, 'report' | 'clock'>,
): Promise<void> => {
  const status = await withMemory(report.status(), report.memoryOf)
  const code = status.ready ? 200 : 503
  if (exchange.url.searchParams.get('format') === 'text')
    sendText(exchange, code, renderStatus(status, clock.now()))
  else sendJson(exchange, code, status)
}

/**
 * One line: 200 when ready, else 503 and what is wrong. 200, too, while something that has been ready works,
 * and is seen to: who restarts what is unhealthy must not cut it off.
 */
export const getHealth = (exchange: Exchange, parts: HealthParts): void => {
  const { instance, report } = parts
  const inLine = (problems: readonly Problem[]): string =>
    problems.map(({ unit, message }) => `; ${unit}: ${message.split('\n')[0]}`).join('')
  // The status looks at each process.
  if (instance.isReady) return sendText(exchange, 200, `ready${inLine(report.backupProblems())}\n`)
  const { phase, problems } = report.status()
  const { busy, started, work } = readHealth(parts)
  const working = work.map((each) => `; ${workInWords(each)}`).join('')
  if (busy && started) return sendText(exchange, 200, `busy${working}\n`)
  sendText(exchange, 503, `not ready (${phase})${working}${inLine(problems)}\n`)
}
