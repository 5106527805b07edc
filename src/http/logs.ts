import { SupervisorError } from '../errors.ts'
import { type Exchange, sendText } from './exchange.ts'
import type { Parts } from './parts.ts'

export const defaultLines = 100
export const maxLines = 10_000
/** A follower that is further behind than this is cut off: nothing is kept for it. */
const behindLimitBytes = 1_000_000

/** The last events of the log, of one unit or of all. With `follow` the answer goes on with new ones. */
export const getLogs = (exchange: Exchange, { log, report }: Pick<Parts, 'log' | 'report'>): void => {
  const {
    url: { searchParams },
    response,
  } = exchange
  const unit = searchParams.get('unit') ?? undefined
  const asked = Number(searchParams.get('lines') ?? defaultLines)
  const isKnown =
    unit === undefined || unit === 'supervisor' || report.status().units.some(({ name }) => name === unit)
  if (!isKnown) throw new SupervisorError('UNIT_UNKNOWN', `cannot find a unit named ${unit.slice(0, 80)}`)
  const tail = log
    .tail(unit, Number.isInteger(asked) && asked > 0 ? Math.min(asked, maxLines) : defaultLines)
    .join('')
  if (!searchParams.has('follow')) return sendText(exchange, 200, tail)
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).write(tail)
  const limitBytes = response.writableLength + behindLimitBytes
  const unfollow = log.follow((name, text) => {
    if (unit !== undefined && name !== unit) return
    if (!response.write(text) && response.writableLength > limitBytes) response.destroy()
  })
  response.once('close', unfollow)
}
