import { showInvitation } from './door/sign-in.ts'
import { waitForMathesar } from './door/wake.ts'
import { type Exchange, sendJson } from './exchange.ts'
import type { Parts } from './parts.ts'

/** How the owner of a Mathesar that nobody has set up yet comes in: {"setup"}, null once somebody has. */
export const getSetup = async (
  exchange: Exchange,
  parts: Pick<Parts, 'setup' | 'instance' | 'clock' | 'visitors'>,
): Promise<void> => {
  const { setup } = parts
  if (await waitForMathesar(parts)) await setup.isDone().catch(() => {})
  const invitation = setup.signIn.invite()
  const shown = invitation === undefined ? null : showInvitation(invitation, setup.linkOf)
  sendJson(exchange, 200, { setup: shown })
}
