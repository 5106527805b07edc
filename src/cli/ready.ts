import type { Status } from '../core/status.ts'
import { pauseToLook } from '../core/timers.ts'
import type { Sockets } from '../http/sockets.ts'
import type { Kernel } from '../system/kernel.ts'
import type { System } from '../system/ports.ts'
import { anonymousBytes } from '../system/proc.ts'
import { bannerOf, type Running } from './report.ts'

/** Nothing of the boot goes on then, nor of falling asleep. */
const releaseAfterMs = 5000
const lookAtMemoryMs = 10_000
/** What a busy time may leave behind: it takes some 50 ms to give it back. */
const muchBytes = 6 * 1024 * 1024

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
  let leastBytes = Number.POSITIVE_INFINITY
  const releaseNow = (): void =>
    inBackground('release memory', async () => {
      const { releaseMemory } = await import('../system/memory.ts')
      leastBytes = releaseMemory(kernel)
    })
  const release = (): void => void clock.after(releaseAfterMs, releaseNow)
  const look = (): void =>
    void clock.after(pauseToLook(clock.now(), lookAtMemoryMs), () => {
      if (anonymousBytes() > leastBytes + muchBytes) releaseNow()
      look()
    })
  release() // Once the first visitors are served.
  look()
  let wasAsleep = false
  instance.subscribe(() => {
    const { isAsleep } = instance.sleeper
    if (isAsleep && !wasAsleep) release()
    wasAsleep = isAsleep
  })
}
