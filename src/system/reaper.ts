import { readFileSync } from 'node:fs'
import type { Kernel } from './kernel.ts'

const batch = 4096
/** Those that die together are collected together. */
const coalesceMs = 1

/**
 * Collects every orphan that the kernel hands to PID 1, and never a child of our own: Node waits for those itself, and a stolen
 * exit status would leave it waiting for ever. So each ended child is looked at first, and left alone when `isOwn` knows it; one
 * of our own at the head of the kernel's list hides the rest, which are then found through /proc.
 */
export const startReaper = (kernel: Pick<Kernel, 'peekEnded' | 'collect'>, isOwn: (pid: number) => boolean) => {
  let reaped = 0
  let timer: NodeJS.Timeout | undefined

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
    timer = undefined
    for (let count = 0; count < batch; count++) {
      const pid = kernel.peekEnded()
      if (pid === undefined) return
      if (isOwn(pid)) {
        if (reapListed(batch - count)) timer = setTimeout(sweep, coalesceMs)
        return
      }
      if (kernel.collect(pid)) reaped++
    }
    timer = setTimeout(sweep, 0)
  }

  // SIGCHLD is coalesced by the kernel and by Node: it says "look", not how many.
  const onChild = (): void => { timer ??= setTimeout(sweep, coalesceMs) }
  process.on('SIGCHLD', onChild)
  sweep()
  return {
    get reaped() { return reaped },
    stop: (): void => {
      process.off('SIGCHLD', onChild)
      clearTimeout(timer)
    },
  }
}
