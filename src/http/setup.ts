import { showInvitation } from './door/owner.ts'
import { waitForMathesar } from './door/wake.ts'
import { type Exchange, sendJson } from './exchange.ts'
import type { ControlOptions } from './server.ts'

/** How the owner of a Mathesar that nobody has set up yet comes in: {"setup"}, null once somebody has. */
export const getSetup = async (exchange: Exchange, options: ControlOptions): Promise<void> => {
  const { owner, setup: asked, linkOf } = options
  if (await waitForMathesar(options)) await asked.isDone().catch(() => {})
  const invitation = owner.invite()
  sendJson(exchange, 200, { setup: invitation === undefined ? null : showInvitation(invitation, linkOf) })
}
