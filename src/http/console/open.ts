import { type Exchange, sendJson } from '../exchange.ts'
import type { ControlOptions } from '../server.ts'

/** What opens the console. */
export type ConsoleInvitation = {
  /** `null` where the owner gave it: CONSOLE_CODE. */
  readonly code: string | null
  /** Carries a key of its own, in its fragment. */
  readonly link: string
  /** Of the code and the link. */
  readonly expiresAt: string
  /** When the console itself closes; `null` while CONSOLE keeps it open. */
  readonly closesAt: string | null
}

const timeOf = (ms: number): string => new Date(ms).toISOString()

/** Opens the console for an hour, unless it is open, and says how the owner comes in: {"console"}. */
export const postConsole = (exchange: Exchange, { entrance, consoleLinkOf }: ControlOptions): void => {
  const { code = null, key, expiresMs } = entrance.open()
  const { closesMs } = entrance
  const invitation: ConsoleInvitation = {
    code,
    link: consoleLinkOf(key),
    expiresAt: timeOf(expiresMs),
    closesAt: closesMs === undefined ? null : timeOf(closesMs),
  }
  sendJson(exchange, 200, { console: invitation })
}
