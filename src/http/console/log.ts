import { renderLines, renderLog } from '../../page/console/log.ts'
import { sendEvents } from '../events.ts'
import type { Exchange } from '../exchange.ts'
import type { ControlOptions } from '../server.ts'
import { consoleHeaders, sendPart } from './send.ts'

/** As many events as a page begins with. */
const tailEvents = 500
const findLimit = 200

const linesOf = (text: string): readonly string[] => text.split('\n').filter((line) => line !== '')

const unitsOf = ({ status }: ControlOptions): readonly string[] => [
  'supervisor',
  ...status().units.map(({ name }) => name),
]

/** The unit that was asked for; `undefined` stands for all. */
const unitIn = ({ url }: Exchange, units: readonly string[]): string | undefined => {
  const unit = url.searchParams.get('unit') ?? ''
  return units.includes(unit) ? unit : undefined
}

const tailOf = ({ log }: ControlOptions, unit: string | undefined): readonly string[] =>
  linesOf(log.tail(unit, tailEvents).join(''))

/** The last lines of the log, of one unit or of all, and of those what was looked for. */
export const getLog = (exchange: Exchange, options: ControlOptions): void => {
  const units = unitsOf(options)
  const unit = unitIn(exchange, units)
  const find = (exchange.url.searchParams.get('find') ?? '').slice(0, findLimit)
  const lines = tailOf(options, unit).filter((line) => line.toLowerCase().includes(find.toLowerCase()))
  sendPart(exchange, options, { section: 'log', body: renderLog({ units, unit, find, lines }) })
}

/** The same as it goes on: first the last lines, then each new one. */
export const getLogEvents = (exchange: Exchange, options: ControlOptions): void => {
  const unit = unitIn(exchange, unitsOf(options))
  sendEvents(exchange, options, {
    headers: consoleHeaders,
    whenBehind: 'cut off',
    follow: (send) => {
      const sendLines = (lines: readonly string[]): void => send(JSON.stringify(renderLines(lines)))
      sendLines(tailOf(options, unit))
      return options.log.follow((name, text) => {
        if (unit === undefined || name === unit) sendLines(linesOf(text))
      })
    },
  })
}
