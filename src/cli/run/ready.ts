import type { Sockets } from '../../http/sockets.ts'
import { bannerOf, readStatus } from './report.ts'
import type { Running } from './running.ts'

/** Tells that Mathesar is ready, and opens what waits for that. */
export const announceReady = (running: Running, sockets: Sockets): void => {
  const { system, instance } = running
  const { inForce } = instance
  if (inForce.settings.UI_MAY_EDIT_CONFIG)
    system.inBackground('open the socket for user interfaces', () => sockets.openApp())
  system.log.say('info', bannerOf(readStatus(running), inForce))
}
