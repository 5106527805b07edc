import { type Exchange, sendJson } from './exchange.ts'
import type { ControlOptions } from './server.ts'

/** What opens a Mathesar that nobody has set up yet; `null` once somebody has. */
export type SetupInvitation = {
  /** `null` where the owner gave it: SETUP_CODE. */
  readonly code: string | null
  /** Carries a key of its own, in its fragment. */
  readonly link: string
  readonly expiresAt: string
}

/** How the owner of a new Mathesar comes in: {"setup"}. */
export const getSetup = async (
  exchange: Exchange,
  { owner, setup: asked, instance, linkOf }: ControlOptions,
): Promise<void> => {
  if (instance.isServing) await asked.isDone().catch(() => {})
  const { code = null, ...invitation } = owner.invite()
  const setup: SetupInvitation | null = owner.isOpen
    ? { code, link: linkOf(invitation.key), expiresAt: new Date(invitation.expiresMs).toISOString() }
    : null
  sendJson(exchange, 200, { setup })
}
