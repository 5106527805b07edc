import { writeSync } from 'node:fs'
import { Socket } from 'node:net'
import { MiB } from '../core/amounts.ts'
import type { Kernel } from './kernel.ts'

const bufferLimitBytes = 4 * MiB
const slowBytes = bufferLimitBytes / 2
const patienceMs = 1000
const smallBytes = 16 * 1024
/** What libuv is given at once: it says when all of that is taken, within a second by a slow reader. */
const pieceBytes = 32 * 1024
/** Two blocks of the log: one is written while the reader takes the other. */
const pipeBytes = 256 * 1024

/** How long services wait for a slow reader: until it catches up, or takes nothing for `patienceMs`. */
class Pause {
  readonly over: Promise<void>
  readonly #end: () => void
  readonly #patience: NodeJS.Timeout

  constructor(onImpatience: () => void) {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.over = promise
    this.#end = resolve
    this.#patience = setTimeout(onImpatience, patienceMs)
  }

  /** The reader took something. */
  refresh(): void {
    this.#patience.refresh()
  }

  end(): void {
    clearTimeout(this.#patience)
    this.#end()
  }
}

/**
 * Writes to a descriptor without ever waiting for its reader, and keeps what the reader does not take. For a
 * reader that is merely slow, the services wait, as they would at a pipe. When it takes nothing for a second,
 * they are no longer held up, and what exceeds `bufferLimitBytes` is dropped and counted.
 */
export class Sink {
  readonly #kernel: Pick<Kernel, 'setNonBlocking'>
  readonly #fd: number
  #queue: Buffer[] = []
  #queuedBytes = 0
  #dropped = 0
  #reported = 0
  #isWaiting = false
  /** Nobody will ever read again (EPIPE): it goes on without a log. */
  #isBroken = false
  /** The reader takes nothing. */
  #isStalled = false
  #reader: Socket | undefined
  #pause: Pause | undefined
  #onDropped = (_lost: number): void => {}

  constructor(kernel: Pick<Kernel, 'setNonBlocking' | 'setPipeSize'>, fd = 1) {
    this.#kernel = kernel
    this.#fd = fd
    kernel.setNonBlocking(fd, true)
    kernel.setPipeSize(fd, pipeBytes)
  }

  /** How many events were dropped. */
  get dropped(): number {
    return this.#dropped
  }

  /** While the reader is behind, a promise that resolves when it catches up or is given up: writers wait. */
  get behind(): Promise<void> | undefined {
    if (this.#queuedBytes <= slowBytes || this.#isStalled) return undefined
    this.#pause ??= new Pause(() => {
      this.#isStalled = true
      this.#endPause()
    })
    return this.#pause.over
  }

  /** Calls back when there is room again after `lost` events were dropped. */
  onDropped(listener: (lost: number) => void): void {
    this.#onDropped = listener
  }

  /** Takes `events` whole events. The caller may overwrite the block afterwards. */
  write(block: Buffer, events: number): void {
    if (this.#isBroken || this.#queuedBytes > bufferLimitBytes) {
      this.#dropped += events
      return
    }
    const written = this.#queue.length === 0 ? this.#writeNow(block) : 0
    if (written === block.length || this.#isBroken) return
    this.#keep(block.subarray(written))
    if (!this.#isWaiting) this.#writeLater()
  }

  /** Waits until all is written, at most `limitMs`: the end of the log. */
  async flush(limitMs: number): Promise<void> {
    const endMs = Date.now() + limitMs
    while (this.#queue.length > 0 && Date.now() < endMs)
      await new Promise((resolve) => setTimeout(resolve, 5))
    if (!this.#isBroken) this.#kernel.setNonBlocking(this.#fd, false)
    // It would keep Node from opening its own stdout, and the process from exiting. The descriptor stays.
    this.#reader?.destroy()
  }

  #keep(rest: Buffer): void {
    this.#queuedBytes += rest.length
    const last = this.#queue.at(-1)
    if (last !== undefined && this.#queue.length > 1 && last.length < smallBytes)
      this.#queue[this.#queue.length - 1] = Buffer.concat([last, rest])
    else this.#queue.push(Buffer.from(rest))
  }

  /** Writes what the kernel takes at once; returns how much. */
  #writeNow(block: Buffer): number {
    try {
      return writeSync(this.#fd, block)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code !== 'EAGAIN' && code !== 'EINTR') this.#giveUp()
      return 0
    }
  }

  /** Has libuv write what comes first as the reader makes room, where it can: for pipes and sockets. */
  #writeLater(): void {
    this.#isWaiting = true
    const piece = this.#queue[0]!.subarray(0, pieceBytes)
    try {
      this.#reader ??= this.#openReader()
    } catch {
      setTimeout(() => this.#drain(), 5)
      return
    }
    this.#reader.write(piece, (error) => {
      if (error || this.#isBroken) return
      this.#remove(piece.length)
      this.#drain()
    })
  }

  #openReader(): Socket {
    return new Socket({ fd: this.#fd, readable: false, writable: true })
      .on('error', () => this.#giveUp())
      .unref()
  }

  #drain(): void {
    this.#isWaiting = false
    while (this.#queue.length > 0) {
      const { length } = this.#queue[0]!
      const written = this.#writeNow(this.#queue[0]!)
      if (this.#isBroken) return
      this.#remove(written)
      if (written < length) return this.#writeLater()
    }
    this.#reportDropped()
  }

  /** The reader took so many bytes of the first block. */
  #remove(bytes: number): void {
    if (bytes === 0) return
    const first = this.#queue[0]!
    if (bytes < first.length) this.#queue[0] = first.subarray(bytes)
    else this.#queue.shift()
    this.#queuedBytes -= bytes
    this.#isStalled = false
    this.#pause?.refresh()
    if (this.#queuedBytes <= slowBytes) this.#endPause()
  }

  #reportDropped(): void {
    const lost = this.#dropped - this.#reported
    if (lost === 0) return
    this.#reported = this.#dropped
    this.#onDropped(lost)
  }

  #giveUp(): void {
    this.#isBroken = true
    this.#queue = []
    this.#queuedBytes = 0
    this.#endPause()
  }

  #endPause(): void {
    this.#pause?.end()
    this.#pause = undefined
  }
}
