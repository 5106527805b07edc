import { type ChildProcess, spawn } from 'node:child_process'
import { pipeline } from 'node:stream/promises'
import type { Command } from '../core/unit.ts'
import type { Kernel } from './kernel.ts'
import { createChunkCollector } from './memory.ts'
import { asUser, kill, outcomeOf, type Processes, type Ran, tailBytes, whenOrphaned } from './process.ts'

/**
 * Writes `input` to the standard input of a program. A program that closes it early says itself why. What
 * `input` throws ends the program first, so that it never takes a part for the whole, and is thrown.
 */
const feed = async (child: ChildProcess, input: AsyncIterable<Buffer>): Promise<void> => {
  const failures: unknown[] = []
  const watched = async function* (): AsyncGenerator<Buffer> {
    try {
      yield* input
    } catch (error) {
      failures.push(error)
      child.kill('SIGKILL')
      throw error
    }
  }
  await pipeline(watched(), child.stdin!).catch(() => {})
  if (failures.length > 0) throw failures[0]
}

export type Streaming = {
  readonly own: Processes['own']
  readonly kernel: Pick<Kernel, 'trimHeap'>
}

/** See `Streams`. */
export async function* streamProgram(
  { own, kernel }: Streaming,
  command: Command,
  input?: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer, Ran> {
  const [file = '', ...args] = asUser(command.argv, command.user, whenOrphaned)
  const child = spawn(file, args, {
    cwd: command.cwd ?? '/',
    env: command.env,
    detached: true,
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  })
  const { pid } = child
  if (pid !== undefined) own.add(pid)
  let tail: Buffer = Buffer.alloc(0)
  const collect = (chunk: Buffer): undefined => {
    tail = Buffer.concat([tail, chunk]).subarray(-tailBytes)
  }
  child.stderr!.on('data', collect)
  const outcome = outcomeOf(child, file, { write: collect })
  const fed = input === undefined ? undefined : feed(child, input)
  fed?.catch(() => {}) // It is awaited below.
  const onPassed = createChunkCollector(kernel)
  let isOver = false
  try {
    for await (const chunk of child.stdout!) {
      yield chunk as Buffer
      onPassed(chunk as Buffer)
    }
    const ended = await outcome
    isOver = true
    await fed
    const lines = tail.toString().split('\n')
    return { outcome: ended, lines: lines.filter((line) => line !== '') }
  } finally {
    if (!isOver && pid !== undefined) kill(-pid, 'SIGKILL')
    await outcome
    if (pid !== undefined) own.delete(pid)
  }
}
