import { closeSync, openSync, read, statSync } from 'node:fs'
import { promisify } from 'node:util'
import type { Kernel } from './kernel.ts'
import { childrenOf, residentBytes } from './proc.ts'

/** The most processes of a service that are looked at. */
const processLimit = 256
/** A kernel that takes longer does not answer: a process whose disk is stuck may hold its own memory map. */
const limitMs = 500

const readInPool = promisify(read)

/** A process and all below it, from the top down. */
const listTree = (root: number): readonly number[] => {
  const found = [root]
  for (let at = 0; at < found.length && found.length < processLimit; at++) {
    try {
      found.push(...childrenOf(found[at]!))
    } catch {
      // It is gone, or the kernel does not list children.
    }
  }
  return found.slice(0, processLimit)
}

/** Resident memory in bytes; `undefined` when the process is gone. */
const residentOf = (pid: number): number | undefined => {
  try {
    return residentBytes(pid)
  } catch {
    return undefined
  }
}

/** `null` when none of the processes is left. */
const sumOf = (figures: readonly (number | undefined)[]): number | null => {
  const known = figures.filter((bytes) => bytes !== undefined)
  return known.length === 0 ? null : known.reduce((sum, bytes) => sum + bytes, 0)
}

/**
 * Measures memory. Processes of a service share most of their pages: each page counts in parts, one for each
 * process that has it (PSS), else the sum would exceed what the whole container holds. To count them takes
 * the kernel a millisecond and more a process, which this thread does not wait for.
 */
export class Meter {
  readonly #kernel: Pick<Kernel, 'asFileUser'>
  readonly #running = new Map<number, Promise<number | null>>()

  constructor(kernel: Pick<Kernel, 'asFileUser'>) {
    this.#kernel = kernel
  }

  /** Memory of a process and all below it in bytes; `null` when it is gone. */
  async memoryOf(pid: number): Promise<number | null> {
    const { promise: late, resolve } = Promise.withResolvers<number | null>()
    const timer = setTimeout(() => resolve(sumOf(listTree(pid).map(residentOf))), limitMs)
    const measured = await Promise.race([this.#measureOnce(pid), late])
    clearTimeout(timer)
    return measured
  }

  /** At most one measurement of a service at a time: what hangs in the kernel then holds one thread only. */
  #measureOnce(pid: number): Promise<number | null> {
    const running = this.#running.get(pid)
    if (running !== undefined) return running
    const measuring = this.#measure(pid).finally(() => this.#running.delete(pid))
    this.#running.set(pid, measuring)
    return measuring
  }

  async #measure(root: number): Promise<number | null> {
    const figures: (number | undefined)[] = []
    for (const pid of listTree(root)) figures.push(await this.#shareOf(pid))
    return sumOf(figures)
  }

  /** The share of one process, else its resident memory; `undefined` when it is gone. */
  async #shareOf(pid: number): Promise<number | undefined> {
    try {
      const fd = this.#openRollup(pid)
      try {
        const { buffer, bytesRead } = await readInPool(fd, Buffer.alloc(4096), 0, 4096, 0)
        const [, kib] = /^Pss:\s+(\d+)/m.exec(buffer.toString('latin1', 0, bytesRead)) ?? []
        if (kib !== undefined) return Number(kib) * 1024
      } finally {
        closeSync(fd)
      }
    } catch {
      // It is gone, the kernel has no such file, or we may not look.
    }
    return residentOf(pid)
  }

  #openRollup(pid: number): number {
    const path = `/proc/${pid}/smaps_rollup`
    const { uid, gid } = statSync(`/proc/${pid}`)
    const open = (): number => openSync(path, 'r')
    return process.getuid?.() === 0 && uid !== 0 ? this.#kernel.asFileUser({ uid, gid }, open) : open()
  }
}
