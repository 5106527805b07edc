import { MiB } from '../../core/amounts.ts'
import { pauseToPoll } from '../../core/timers.ts'
import type { Instance } from '../../daemon/instance.ts'
import type { Keeper } from '../../daemon/keeper.ts'
import { repeat } from '../../daemon/repeat.ts'
import type { Kernel } from '../../system/kernel.ts'
import type { System } from '../../system/ports.ts'
import { anonymousBytes } from '../../system/proc.ts'

/** Nothing of the boot goes on then, nor of falling asleep. */
const releaseAfterMs = 5000
const pollMs = 10_000
/** What a busy time may leave behind: it takes some 50 ms to give it back. */
const muchBytes = 6 * MiB

/** Gives back the memory of this process that a boot, or a busy time, took. */
export const createMemoryKeeper = (
  system: System,
  instance: Pick<Instance, 'subscribe'> & { readonly sleeper: Pick<Instance['sleeper'], 'isAsleep'> },
  kernel: Kernel,
): Keeper => {
  const { clock, inBackground } = system
  let leastBytes = Number.POSITIVE_INFINITY
  const stopping = new AbortController()
  const releaseNow = (): void =>
    inBackground('release memory', async () => {
      const { releaseMemory } = await import('../../system/memory.ts')
      leastBytes = releaseMemory(kernel)
    })
  const release = (): void => void clock.after(releaseAfterMs, releaseNow)
  const poll = async (): Promise<void> => {
    if (anonymousBytes() > leastBytes + muchBytes) releaseNow()
  }
  let wasAsleep = false
  return {
    start: () => {
      release() // Once the first visitors are served.
      const pauseMs = (): number => pauseToPoll(clock.now(), pollMs)
      repeat(system, { what: 'check the memory', pauseMs, signal: stopping.signal }, poll)
      instance.subscribe(() => {
        const { isAsleep } = instance.sleeper
        if (isAsleep && !wasAsleep) release()
        wasAsleep = isAsleep
      })
    },
    stop: () => stopping.abort(),
  }
}
