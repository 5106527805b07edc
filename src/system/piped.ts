import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { MiB } from '../core/amounts.ts'
import type { Command } from '../core/unit.ts'
import type { Kernel } from './kernel.ts'
import { createChunkCollector } from './memory.ts'
import { asUser, kill, LastLines, outcomeOf, type Processes, type Ran, whenOrphaned } from './process.ts'

/**
 * Writes `input` to the standard input of a program. A program that closes it early says itself why. What
 * `input` throws ends the program first, so that it never takes a part for the whole, and is thrown.
 */
const feed = async (
  child: ChildProcess,
  input: AsyncIterable<Buffer>,
  onPassed: (chunk: Buffer) => void,
): Promise<void> => {
  const failures: unknown[] = []
  const stdin = child.stdin!
  const watched = async function* (): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of input) {
        // Only a long one is waited for, and the next one may overwrite it.
        yield chunk.length < stdin.writableHighWaterMark ? Buffer.from(chunk) : chunk
        onPassed(chunk)
      }
    } catch (error) {
      failures.push(error)
      child.kill('SIGKILL')
      throw error
    }
  }
  await pipeline(watched(), stdin).catch(() => {})
  if (failures.length > 0) throw failures[0]
}

export type Streaming = {
  readonly own: Processes['own']
  readonly kernel: Pick<Kernel, 'pipe' | 'trimHeap'>
}

/** As much as a pipe may hold for a user without privileges. */
const pipeBytes = MiB

/**
 * Yields what comes out of a pipe. All is read into one buffer, so a gigabyte leaves no garbage: each chunk
 * is overwritten once the next one is asked for. Nothing is read before that.
 */
async function* readPipe(fd: number): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(pipeBytes)
  let next = Promise.withResolvers<number>()
  const callback = (bytes: number): boolean => {
    next.resolve(bytes)
    return false
  }
  const onread = { buffer, callback }
  const socket = new Socket({ fd, readable: true, writable: false, onread })
  socket.on('error', () => socket.destroy()).on('close', () => next.resolve(0))
  try {
    for (;;) {
      const bytes = await next.promise
      if (bytes === 0) return
      yield buffer.subarray(0, bytes)
      next = Promise.withResolvers<number>()
      if (socket.destroyed) return
      socket.resume()
    }
  } finally {
    socket.destroy()
  }
}

/** Starts it with its output in a pipe. */
const start = ({ kernel }: Streaming, command: Command, hasInput: boolean) => {
  const [file = '', ...args] = asUser(command.argv, command.user, whenOrphaned)
  const pipe = kernel.pipe(pipeBytes)
  try {
    const child = spawn(file, args, {
      cwd: command.cwd ?? '/',
      env: command.env,
      detached: true,
      stdio: [hasInput ? 'pipe' : 'ignore', pipe.write, 'pipe'],
    })
    return { file, child, chunks: readPipe(pipe.read) }
  } catch (error) {
    closeSync(pipe.read)
    throw error
  } finally {
    closeSync(pipe.write)
  }
}

/** See `Streams`. */
export async function* streamProgram(
  streaming: Streaming,
  command: Command,
  input?: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, Ran> {
  const { own, kernel } = streaming
  const { file, child, chunks } = start(streaming, command, input !== undefined)
  const { pid } = child
  if (pid !== undefined) own.add(pid)
  const last = new LastLines()
  child.stderr!.on('data', (chunk: Buffer) => last.add(chunk))
  const outcome = outcomeOf(child, file, (chunk) => last.add(chunk))
  const onPassed = createChunkCollector(kernel)
  const fed = input === undefined ? undefined : feed(child, input, onPassed)
  fed?.catch(() => {}) // It is awaited below.
  let isOver = false
  try {
    for await (const chunk of chunks) {
      yield chunk
      onPassed(chunk)
    }
    const ended = await outcome
    isOver = true
    await fed
    return { outcome: ended, lines: last.lines }
  } finally {
    if (!isOver && pid !== undefined) kill(-pid, 'SIGKILL')
    await outcome
    if (pid !== undefined) own.delete(pid)
  }
}
