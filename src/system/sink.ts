import { writeSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Kernel } from './kernel.ts'

const bufferLimitBytes = 4 * 1024 * 1024
const slowBytes = bufferLimitBytes / 2
const patienceMs = 1000
const smallBytes = 16 * 1024
/** Two blocks of the log: one is written while the reader takes the other. */
const pipeBytes = 256 * 1024

type Pipes = Pick<Kernel, 'setNonBlocking' | 'setPipeSize'>

/**
 * Writes to a descriptor without ever waiting for its reader. What the reader does not take is kept. When it is merely slow, the
 * services wait for it, as they would at a pipe; when it takes nothing for a second, they are not held up any longer, and what is
 * beyond `bufferLimitBytes` is dropped and counted.
 */
export const createSink = (kernel: Pipes, fd = 1) => {
  let queue: Buffer[] = []
  let queuedBytes = 0
  let dropped = 0
  let reported = 0
  let waiting = false
  let broken = false
  let reader: Socket | undefined
  let stalled = false
  let onDropped = (_lost: number): void => {}
  let pause:
    | { readonly over: Promise<void>; readonly end: () => void; readonly patience: NodeJS.Timeout }
    | undefined
  kernel.setNonBlocking(fd, true)
  kernel.setPipeSize(fd, pipeBytes)

  const endPause = (): void => {
    clearTimeout(pause?.patience)
    pause?.end()
    pause = undefined
  }

  const taken = (bytes: number): void => {
    if (bytes === 0) return
    queuedBytes -= bytes
    stalled = false
    pause?.patience.refresh()
    if (queuedBytes <= slowBytes) endPause()
  }

  const giveUp = (): void => {
    broken = true // Nobody will ever read again (EPIPE): go on without a log.
    queue = []
    queuedBytes = 0
    endPause()
  }

  /** Writes what the kernel takes at once; returns how much. */
  const writeNow = (block: Buffer): number => {
    try {
      return writeSync(fd, block)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'EAGAIN' && code !== 'EINTR') giveUp()
      return 0
    }
  }

  /** Has libuv write the first block as the reader makes room, which it can for pipes and sockets; anything else is asked again. */
  const writeLater = (): void => {
    waiting = true
    try {
      reader ??= new Socket({ fd, readable: false, writable: true }).on('error', giveUp).unref()
    } catch {
      return void setTimeout(drain, 5)
    }
    const block = queue[0]!
    reader.write(block, (error) => {
      if (error || broken) return
      queue.shift()
      taken(block.length)
      drain()
    })
  }

  const drain = (): void => {
    waiting = false
    while (queue.length > 0) {
      const block = queue[0]!
      const written = writeNow(block)
      if (broken) return
      taken(written)
      if (written < block.length) {
        queue[0] = block.subarray(written)
        return writeLater()
      }
      queue.shift()
    }
    if (dropped === reported) return
    const lost = dropped - reported
    reported = dropped
    onDropped(lost)
  }

  /** Takes whole events, `events` of them, which the caller may overwrite afterwards. */
  const write = (block: Buffer, events: number): void => {
    if (broken || queuedBytes > bufferLimitBytes) {
      dropped += events
      return
    }
    const written = queue.length === 0 ? writeNow(block) : 0
    if (written === block.length || broken) return
    const rest = block.subarray(written)
    queuedBytes += rest.length
    const last = queue.at(-1)
    if (queue.length > 1 && last!.length < smallBytes) queue[queue.length - 1] = Buffer.concat([last!, rest])
    else queue.push(Buffer.from(rest))
    if (!waiting) writeLater()
  }

  return {
    write,
    /** While the reader is behind, a promise that resolves when it is not or is given up: what can wait should. */
    get behind(): Promise<void> | undefined {
      if (queuedBytes <= slowBytes || stalled) return undefined
      if (!pause) {
        const { promise, resolve } = Promise.withResolvers<void>()
        pause = {
          over: promise,
          end: resolve,
          patience: setTimeout(() => {
            stalled = true
            endPause()
          }, patienceMs),
        }
      }
      return pause.over
    },
    get dropped() {
      return dropped
    },
    /** Calls back when there is room again after `lost` events were dropped. */
    onDropped: (listener: (lost: number) => void): void => {
      onDropped = listener
    },
    /** Waits until all is written, at most `limitMs`: the end of the log. */
    flush: async (limitMs: number): Promise<void> => {
      const end = Date.now() + limitMs
      while (queue.length > 0 && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 5))
      if (!broken) kernel.setNonBlocking(fd, false)
      reader?.destroy() // It would keep Node from opening its own stdout, and the process from ending. The descriptor stays.
    },
  }
}
