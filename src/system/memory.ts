import { readFileSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Kernel } from './kernel.ts'

/**
 * Where a program is mapped read-only and nothing was ever written: what differs from the file, such as
 * relocations, must stay.
 */
const cleanPartsOf = (path: string): { readonly address: number; readonly bytes: number }[] =>
  readFileSync('/proc/self/smaps', 'latin1')
    .split(/\n(?=[0-9a-f]+-)/)
    .flatMap((part) => {
      const [, from, to, mapped] = /^(\w+)-(\w+) r-[x-]p (?:\S+ +){3}(.*)$/m.exec(part) ?? []
      if (mapped !== path || !/^Anonymous: +0 kB$/m.test(part)) return []
      return [{ address: Number(`0x${from}`), bytes: Number(`0x${to}`) - Number(`0x${from}`) }]
    })

/**
 * Gives what the boot left behind back to the system: V8's garbage, since V8 alone sees no need while little
 * happens, what malloc holds free, and the pages of Node's program. The pages that an idle supervisor needs
 * are mapped again in an instant; the kernel may now drop the others when it must.
 */
export const releaseMemory = (kernel: Pick<Kernel, 'trimHeap' | 'forgetMapped'>): void => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as NonNullable<typeof globalThis.gc>
  setFlagsFromString('--no-expose-gc')
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
  kernel.trimHeap()
  for (const { address, bytes } of cleanPartsOf(process.execPath)) kernel.forgetMapped(address, bytes)
}
