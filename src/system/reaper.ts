import { readFileSync } from 'node:fs'
import type { Kernel } from './kernel.ts'

/** So many are collected before anything else gets its turn. */
const batch = 4096
/** So many are looked at one by one; of more, the whole list is worth reading: then each takes one call instead of two. */
const few = 16
/** Until then Node has collected its own. */
const againMs = 20

/**
 * Collects every orphan that the kernel hands to PID 1, and never a child of our own: Node waits for those itself, and a stolen
 * exit status would leave it waiting for ever. So each ended child is looked at first, and left alone when `isOwn` knows it; one
 * of our own at the head of the kernel's list hides the rest, which are then found through /proc.
 */
export const startReaper = (
  kernel: Pick<Kernel, 'peekEnded' | 'collect'>,
  isOwn: (pid: number) => boolean,
) => {
  let reaped = 0
  let next: NodeJS.Immediate | undefined

  const reapListed = (limit: number): boolean => {
    let listed: string
    try {
      listed = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'latin1')
    } catch {
      return true // The kernel lacks CONFIG_PROC_CHILDREN: once Node has collected its own child, a later peek sees the rest.
    }
    let left = limit
    for (const pid of listed.split(' ').map(Number)) {
      if (left === 0) return true
      if (pid > 0 && !isOwn(pid) && kernel.collect(pid)) {
        reaped++
        left--
      }
    }
    return false
  }

  const sweep = (): void => {
    next = undefined
    for (let count = 0; count < few; count++) {
      const pid = kernel.peekEnded()
      if (pid === undefined) return
      if (isOwn(pid)) {
        if (reapListed(batch - count)) setTimeout(sweepSoon, againMs).unref()
        return
      }
      if (kernel.collect(pid)) reaped++
    }
    reapListed(batch)
    sweepSoon()
  }

  /** After Node has collected its own: those it does in the same turn, before. */
  const sweepSoon = (): void => {
    next ??= setImmediate(sweep)
  }

  // SIGCHLD is coalesced by the kernel and by Node: it says "look", not how many.
  process.on('SIGCHLD', sweepSoon)
  sweep()
  return {
    get reaped() {
      return reaped
    },
    stop: (): void => {
      process.off('SIGCHLD', sweepSoon)
      clearImmediate(next)
    },
  }
}
