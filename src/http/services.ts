import * as v from 'valibot'
import { SupervisorError } from '../errors.ts'
import { check } from './check.ts'
import { type Exchange, sendJson } from './exchange.ts'
import type { Parts } from './parts.ts'

/** The places in the path. */
export const serviceParameters = v.strictObject({
  name: v.pipe(
    v.string(),
    v.regex(/^[\w-]{1,80}$/, 'must be a name'),
    v.description('Such as `mathesar` or `postgres`.'),
  ),
  action: v.pipe(
    v.picklist(['start', 'stop', 'restart'], 'must be start, stop or restart'),
    v.description('What to do.'),
  ),
})

const refuse = (why: string): never => {
  throw new SupervisorError('UNIT_UNKNOWN', `cannot control a service: ${why}`)
}

/** Starts, stops or restarts a service, and waits for the outcome: {"name", "state"}. */
export const postService = async (
  exchange: Exchange,
  { instance }: Pick<Parts, 'instance'>,
): Promise<void> => {
  const { name, action } = check(serviceParameters, exchange.parameters, refuse)
  sendJson(exchange, 200, { name, state: await instance.control(action, name) })
}
