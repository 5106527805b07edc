import { type Exchange, sendJson } from './exchange.ts'
import type { Invitation } from './door/owner.ts'
import { waitForMathesar } from './door/wake.ts'
import type { ControlOptions } from './server.ts'

/** What opens a Mathesar that nobody has set up yet; `null` once somebody has. */
export type SetupInvitation = {
  /** `null` where the owner gave it: SETUP_CODE. */
  readonly code: string | null
  /** Carries a key of its own, in its fragment. */
  readonly link: string
  readonly expiresAt: string
}

const describe = (
  invitation: Invitation | undefined,
  linkOf: ControlOptions['linkOf'],
): SetupInvitation | null => {
  if (invitation === undefined) return null
  const { code = null, key, expiresMs } = invitation
  return { code, link: linkOf(key), expiresAt: new Date(expiresMs).toISOString() }
}

/** How the owner of a new Mathesar comes in: {"setup"}. */
export const getSetup = async (exchange: Exchange, options: ControlOptions): Promise<void> => {
  const { owner, setup: asked, linkOf } = options
  if (await waitForMathesar(options)) await asked.isDone().catch(() => {})
  sendJson(exchange, 200, { setup: describe(owner.invite(), linkOf) })
}
