import type { Kernel } from './kernel.ts'
import { childrenOf } from './proc.ts'

/** How many are collected before anything else gets its turn. */
const batch = 4096
/** How many are looked at one by one, by two calls each. For more, it is worth reading the whole list. */
const few = 16
/** By then Node has collected its own. */
const againMs = 20

/**
 * Collects every orphan that the kernel hands to PID 1, and never a child of our own: Node waits for those
 * itself, and a stolen exit status would leave it waiting forever. So each exited child is looked at first,
 * and left alone when `isOwn` knows it. One of our own at the head of the kernel's list hides the rest, which
 * are then found through /proc.
 */
export const startReaper = (
  kernel: Pick<Kernel, 'peekEnded' | 'collect'>,
  isOwn: (pid: number) => boolean,
) => {
  let reaped = 0
  let next: NodeJS.Immediate | undefined

  /** Returns whether there may be more. */
  const reapListed = (limit: number): boolean => {
    let children: readonly number[]
    try {
      children = childrenOf(process.pid)
    } catch {
      // No CONFIG_PROC_CHILDREN: once Node has collected its own child, a later peek sees the rest.
      return true
    }
    let left = limit
    for (const pid of children) {
      if (left === 0) return true
      if (!isOwn(pid) && kernel.collect(pid)) {
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
