import type { Status } from '../core/status.ts'
import type { Sockets } from '../http/sockets.ts'
import type { Kernel } from '../system/kernel.ts'
import type { System } from '../system/ports.ts'
import { bannerOf, type Running } from './report.ts'

const releaseMemoryAfterMs = 5000 // Nothing of the boot goes on then, nor of falling asleep.

/** Tells that Mathesar is ready, and does what waits for that. */
export const announceReady = (
  sockets: Sockets,
  status: Status,
  { instance }: Running,
  system: System,
  kernel: Kernel,
): void => {
  const { clock, log, inBackground } = system
  if (instance.inForce.settings.UI_MAY_EDIT_CONFIG)
    inBackground('open the socket for user interfaces', () => sockets.openApp())
  log.say('info', bannerOf(status, instance.inForce))
  const release = (): void =>
    void clock.after(releaseMemoryAfterMs, () =>
      inBackground('release memory', async () => {
        const { releaseMemory } = await import('../system/memory.ts')
        releaseMemory(kernel) // It takes some 50 ms: once the first visitors are served.
      }),
    )
  release()
  let wasAsleep = false
  instance.subscribe(() => {
    const { isAsleep } = instance.sleeper
    if (isAsleep && !wasAsleep) release()
    wasAsleep = isAsleep
  })
}
