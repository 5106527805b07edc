import { readFileSync } from 'node:fs'
import { MiB } from '../core/amounts.ts'
import type { Kernel } from './kernel.ts'
import { anonymousBytes } from './proc.ts'

/**
 * Where `smaps` has a program mapped read-only and nothing was ever written: what differs from the file, such
 * as relocations, must stay. A part without a page in memory is left out. It has nothing to give back, and
 * QEMU, which knows no figures of a program of another processor, says 0 of all, of relocations too.
 */
export const cleanPartsOf = (
  smaps: string,
  path: string,
): { readonly address: number; readonly bytes: number }[] =>
  smaps.split(/\n(?=[0-9a-f]+-)/).flatMap((part) => {
    const [, from, to, mapped] = /^(\w+)-(\w+) r-[x-]p (?:\S+ +){3}(.*)$/m.exec(part) ?? []
    if (mapped !== path || !/^Rss: +[1-9]/m.test(part) || !/^Anonymous: +0 kB$/m.test(part)) return []
    return [{ address: Number(`0x${from}`), bytes: Number(`0x${to}`) - Number(`0x${from}`) }]
  })

/** V8's own collector, which scripts do not get else. */
const findCollector = (): NonNullable<typeof globalThis.gc> => {
  const { setFlagsFromString } = process.getBuiltinModule('node:v8')
  const { runInNewContext } = process.getBuiltinModule('node:vm')
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as NonNullable<typeof globalThis.gc>
  setFlagsFromString('--no-expose-gc')
  return collect
}

/** What dies young costs little to find: one collection in so many looks through everything. */
const collectEveryBytes = 4 * MiB
const fullEvery = 32

/**
 * Returns what is to be called with each chunk of a long stream. V8 sees little of the memory of buffers and
 * of zstd, and lets a hundred megabytes of it pile up before it collects. `unpacksTo` is how many bytes are
 * made of each one.
 */
export const createChunkCollector = (
  { trimHeap }: Pick<Kernel, 'trimHeap'>,
  unpacksTo = 1,
): ((chunk: Buffer) => void) => {
  const collect = findCollector()
  let passed = 0
  let collections = 0
  return ({ length }) => {
    passed += length * unpacksTo
    if (passed < collectEveryBytes) return
    passed = 0
    collections += 1
    const isFull = collections % fullEvery === 0
    collect({ type: isFull ? 'major' : 'minor', execution: 'sync' })
    if (isFull) trimHeap()
  }
}

/**
 * Gives what the boot, or a flood, left behind back to the system: V8's garbage, since V8 alone sees no need
 * while little happens, what malloc holds free, and the pages of Node's program. The pages that an idle
 * supervisor needs are mapped again in an instant; the kernel may now drop the others when it must. Returns
 * the bytes that are left, without pages of files.
 */
export const releaseMemory = (kernel: Pick<Kernel, 'trimHeap' | 'forgetMapped'>): number => {
  const { setFlagsFromString } = process.getBuiltinModule('node:v8')
  const collect = findCollector()
  // Compiled code goes that was not called since the collection before, not since the sixth. For this moment
  // alone: V8 takes what Node and the image have compiled only with the flags that it was compiled with.
  setFlagsFromString('--bytecode-old-age=1')
  collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
  setFlagsFromString('--bytecode-old-age=6')
  kernel.trimHeap()
  const smaps = readFileSync('/proc/self/smaps', 'latin1')
  for (const { address, bytes } of cleanPartsOf(smaps, process.execPath)) kernel.forgetMapped(address, bytes)
  return anonymousBytes()
}
