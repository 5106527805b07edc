import type { Status } from '../core/status.ts'
import type { Instance } from '../daemon/instance.ts'
import type { Sockets } from '../http/sockets.ts'
import type { System } from '../system/ports.ts'
import { bannerOf } from './report.ts'

/** Tells that Mathesar is ready, and opens what waits for that. */
export const announceReady = (
  { log, inBackground }: System,
  { inForce }: Instance,
  sockets: Sockets,
  status: Status,
): void => {
  if (inForce.settings.UI_MAY_EDIT_CONFIG)
    inBackground('open the socket for user interfaces', () => sockets.openApp())
  log.say('info', bannerOf(status, inForce))
}
