import { renderLines, renderLog } from '../../page/console/log.ts'
import { type EventParts, sendEvents } from '../events.ts'
import type { Exchange } from '../exchange.ts'
import type { Parts } from '../parts.ts'
import { consoleHeaders, isSignedIn, sendPart } from './send.ts'

/** As many events as a page begins with. */
const tailEvents = 500
const findLimit = 200

const linesOf = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '')

const unitsOf = ({ report }: Pick<Parts, 'report'>): readonly string[] => [
  'supervisor',
  ...report.status().units.map(({ name }) => name),
]

/** The unit that was asked for; `undefined` stands for all. */
const unitIn = ({ url }: Exchange, units: readonly string[]): string | undefined => {
  const unit = url.searchParams.get('unit') ?? ''
  return units.includes(unit) ? unit : undefined
}

const tailOf = ({ log }: Pick<Parts, 'log'>, unit: string | undefined): readonly string[] =>
  linesOf(log.tail(unit, tailEvents).join(''))

/** The last lines of the log, of one unit or of all, and of those what was looked for. */
export const getLog = (exchange: Exchange, parts: Pick<Parts, 'log' | 'report' | 'entrance'>): void => {
  const units = unitsOf(parts)
  const unit = unitIn(exchange, units)
  const find = (exchange.url.searchParams.get('find') ?? '').slice(0, findLimit)
  const lines = tailOf(parts, unit).filter((line) => line.toLowerCase().includes(find.toLowerCase()))
  sendPart(exchange, parts, { section: 'log', body: renderLog({ units, unit, find, lines }) })
}

/** The same as it goes on: first the last lines, then each new one. */
export const getLogEvents = (
  exchange: Exchange,
  parts: EventParts & Pick<Parts, 'log' | 'report' | 'entrance'>,
): void => {
  const unit = unitIn(exchange, unitsOf(parts))
  sendEvents(exchange, parts, {
    headers: consoleHeaders,
    whenBehind: 'cut off',
    isOver: () => !isSignedIn(exchange, parts),
    follow: (send) => {
      const sendLines = (lines: readonly string[]): void => send(JSON.stringify(renderLines(lines)))
      sendLines(tailOf(parts, unit))
      return parts.log.follow((name, text) => {
        if (unit === undefined || name === unit) sendLines(linesOf(text))
      })
    },
  })
}
