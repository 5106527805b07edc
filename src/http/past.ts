import * as v from 'valibot'
import { check, onlyFields } from './check.ts'
import { type Exchange, readJson, refuse, sendText } from './exchange.ts'
import type { Parts } from './parts.ts'

export const longestSeconds = 86_400

export const pastRequest = onlyFields({
  at: v.pipe(
    v.string('must be a string'),
    v.isoTimestamp('must be a time as in ISO 8601'),
    v.maxLength(40, 'is too long'),
    v.description('The moment that lies ready in the volume.'),
  ),
  seconds: v.pipe(
    v.number('must be a number'),
    v.integer('must be a whole number'),
    v.minValue(1, 'must be at least 1'),
    v.maxValue(longestSeconds, `must be at most ${longestSeconds}`),
    v.description('For how long it is served.'),
  ),
})

/** Serves the moment that `supervisor yesterday` has laid ready, and answers once Mathesar knows it. */
export const postPast = async (exchange: Exchange, { past }: Pick<Parts, 'past'>): Promise<void> => {
  const { at, seconds } = check(pastRequest, await readJson(exchange), refuse)
  await past.serve({ at, forMs: seconds * 1000 })
  sendText(exchange, 200, 'served\n')
}

/** Answers once nothing of it is left. */
export const postPastEnd = async (exchange: Exchange, { past }: Pick<Parts, 'past'>): Promise<void> => {
  await past.end()
  sendText(exchange, 200, 'ended\n')
}
