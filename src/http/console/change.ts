import { applyField, type Outcome, renderOutcome } from '../../page/console/settings.ts'
import { pathOf, type Section } from '../../page/console/frame.ts'
import type { Proposal } from '../../settings/proposal.ts'
import { SupervisorError } from '../../errors.ts'
import { isBrowser } from '../door/page.ts'
import { type Exchange, redirect, sendJson } from '../exchange.ts'
import type { Parts } from '../parts.ts'
import { consoleHeaders } from './send.ts'

/** A change that a form asks for. */
export type Wish = {
  readonly proposal: Proposal
  readonly form: URLSearchParams
  /** The version of the history that it goes back to. */
  readonly rollback?: string
}

/** Plans a change, or brings it into force: what was shown alone, not what has come into the form since. */
const planOrApply = async (
  { proposal, form, rollback }: Wish,
  { changes }: Parts['config'],
): Promise<Outcome> => {
  const seen = form.get(applyField)
  const planned = await changes.propose({ ...proposal, isDryRun: true })
  if (seen === null || seen !== planned.version)
    return {
      is: 'planned',
      plan: { ...planned, isOther: seen !== null, ...(rollback === undefined ? {} : { rollback }) },
    }
  const { result, version } = await changes.propose(proposal)
  return { is: result === 'left to boot' ? result : 'in force', version }
}

/** The same, with what went wrong in words, also while the wish was read. */
export const carryOut = async (readWish: () => Wish, { config }: Pick<Parts, 'config'>): Promise<Outcome> => {
  try {
    return await planOrApply(readWish(), config)
  } catch (error) {
    if (!(error instanceof SupervisorError)) throw error
    return { is: 'refused', message: error.message, hint: error.hint }
  }
}

/** Sends what came of it: to the script, or as the page that `sendPage` makes of it. */
export const sendOutcome = (
  exchange: Exchange,
  section: Section,
  outcome: Outcome,
  sendPage: (status: number) => void,
): void => {
  const location = `${pathOf(section)}?version=${'version' in outcome ? outcome.version : ''}`
  const status = outcome.is === 'refused' ? 422 : 200
  if (isBrowser(exchange.request))
    return outcome.is === 'in force' ? redirect(exchange, location) : sendPage(status)
  const answer = outcome.is === 'in force' ? { location } : { html: renderOutcome(outcome) }
  sendJson(exchange, status, answer, consoleHeaders)
}

/** After a change: says of the version in force that it is. */
export const outcomeBefore = ({ url }: Exchange, { config }: Pick<Parts, 'config'>): Outcome | undefined => {
  const { version } = config.changes.current
  return url.searchParams.get('version') === version ? { is: 'in force', version } : undefined
}
