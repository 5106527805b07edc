import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Kernel } from './kernel.ts'

/** Gives what the boot left behind back to the system: V8 alone would keep it, for it sees no need while little happens. */
export const releaseMemory = (kernel: Pick<Kernel, 'trimHeap'>): void => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as NonNullable<typeof globalThis.gc>
  setFlagsFromString('--no-expose-gc')
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
  kernel.trimHeap()
}
