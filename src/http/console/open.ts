import { type ShownInvitation, showInvitation } from '../door/sign-in.ts'
import { type Exchange, sendJson } from '../exchange.ts'
import type { Parts } from '../parts.ts'

/** What opens the console. */
export type ConsoleInvitation = ShownInvitation & {
  /** When the console itself closes; `null` while CONSOLE keeps it open. */
  readonly closesAt: string | null
}

/** Opens the console for an hour, unless it is open, and says how the owner comes in: {"console"}. */
export const postConsole = (exchange: Exchange, { entrance }: Pick<Parts, 'entrance'>): void => {
  const shown = showInvitation(entrance.open(), (key) => entrance.linkOf(key))
  const { closesMs } = entrance
  const closesAt = closesMs === undefined ? null : new Date(closesMs).toISOString()
  const invitation: ConsoleInvitation = { ...shown, closesAt }
  sendJson(exchange, 200, { console: invitation })
}
