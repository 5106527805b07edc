import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Outcome } from '../core/outcome.ts'
import { oomScores } from '../units/postgres/sizing.ts'
import type { Command, User } from '../core/unit.ts'
import { SupervisorError } from '../errors.ts'
import type { Kernel } from './kernel.ts'
import { readOomScoreAdj } from './machine.ts'

const drainLimitMs = 500
const tailBytes = 16 * 1024
const pipeBytes = 256 * 1024

/** Takes what a process writes. */
export type Output = {
  /** The chunk is overwritten afterwards. A promise says that the next one should wait for it. */
  readonly write: (chunk: Buffer) => Promise<void> | undefined
  /** Nothing more will come. */
  readonly flush: () => void
}

export type RunningProcess = {
  readonly pid: number
  /** Resolves once the process has ended and its output is read, or half a second later: a grandchild may hold the pipe open. */
  readonly ended: Promise<Outcome>
  readonly signal: (signal: NodeJS.Signals) => void
  /** To the whole process group: gunicorn tells its workers only after a while, and they outlive a killed master by seconds. */
  readonly signalGroup: (signal: NodeJS.Signals) => void
  /** SIGKILL to the same. */
  readonly killGroup: () => void
}

/** `argv` run as another user, its supplementary groups set right (Node's own `uid` option drops them) and no way back. */
export const asUser = (
  argv: readonly string[],
  user: User | undefined,
  more: readonly string[] = [],
): readonly string[] => {
  const options = [
    ...(user === undefined
      ? []
      : [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--init-groups', '--inh-caps=-all', '--no-new-privs']),
    ...more,
  ]
  return options.length === 0 ? argv : ['setpriv', ...options, '--', ...argv]
}

/** Sent to a service whose supervisor was killed. Postgres and gunicorn both end at once and in order. With PID 1 the kernel ends all. */
const whenOrphaned = process.pid === 1 ? [] : ['--pdeathsig=INT']

/** Signals a process, or a group by its negative id, unless it is gone. */
export const kill = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** All pipes are read into one buffer: each chunk is done with before the next is read. */
const chunk = Buffer.allocUnsafeSlow(64 * 1024)

/** Reads a pipe to its end. `rest`, for when the process is gone, waits for what is still in it, but not for ever: a grandchild may hold it open, or nobody read our log. */
const read = (fd: number, output: Output): { readonly rest: () => Promise<void> } => {
  let waiting: Promise<void> | undefined
  const socket = new Socket({
    fd,
    readable: true,
    writable: false,
    onread: {
      buffer: chunk,
      callback: (bytes) => {
        waiting = output.write(chunk.subarray(0, bytes))
        void waiting?.then(() => {
          waiting = undefined
          socket.resume()
        })
        return waiting === undefined
      },
    },
  })
  socket.on('error', () => socket.destroy())
  const drained = new Promise<void>((resolve) =>
    socket.once('close', () => {
      output.flush()
      resolve()
    }),
  )
  return {
    rest: async () => {
      let looks = 0
      const limit = setInterval(() => {
        if (waiting === undefined || ++looks === 10) socket.destroy()
      }, drainLimitMs)
      await drained
      clearInterval(limit)
    },
  }
}

/** Makes the kernel kill the process before the supervisor when memory runs out, where that can be set. */
const raiseOomScore = (pid: number): void => {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(oomScores(readOomScoreAdj()).service))
  } catch {
    /* It is gone, or /proc is read-only. */
  }
}

/** Starts processes and knows which children are ours. The one place that spawns. */
export const createProcesses = (kernel: Pick<Kernel, 'pipe'>) => {
  const own = new Set<number>()

  const start = (command: Command, output: Output): RunningProcess => {
    const [file, ...args] = asUser(command.argv, command.user, whenOrphaned)
    const pipe = kernel.pipe(pipeBytes)
    let child: ChildProcess
    try {
      child = spawn(file!, args, {
        cwd: command.cwd ?? '/',
        env: command.env,
        detached: true,
        stdio: ['ignore', pipe.write, pipe.write, ...(command.fds ?? [])],
      })
    } catch (cause) {
      closeSync(pipe.read)
      throw new SupervisorError('INTERNAL', `cannot start ${file}: ${(cause as Error).message}`, { cause })
    } finally {
      closeSync(pipe.write)
    }
    const pid = child.pid
    if (pid !== undefined) {
      own.add(pid) // In the tick of the spawn: the reaper cannot run before.
      raiseOomScore(pid) // It has not yet become the program, whose own children inherit the score.
    }
    const reading = read(pipe.read, output)

    const signalGroup = (signal: NodeJS.Signals): void => {
      if (pid !== undefined) kill(-pid, signal)
    }
    const ended = new Promise<Outcome>((resolve) => {
      child.on('error', (error: NodeJS.ErrnoException) => {
        if (pid !== undefined) return // Only a signal that could not be sent: it runs.
        output.write(Buffer.from(`cannot start ${file}: ${error.message}\n`))
        resolve({ code: error.code === 'ENOENT' ? 127 : 126, signal: null })
      })
      child.once('exit', (code, signal) => resolve({ code, signal }))
    }).then(async (outcome) => {
      if (pid !== undefined) own.delete(pid)
      await reading.rest()
      return outcome
    })

    return {
      pid: pid ?? 0,
      ended,
      signal: (signal) => void child.kill(signal),
      signalGroup,
      killGroup: () => signalGroup('SIGKILL'),
    }
  }

  /** Runs a program to its end; ends its whole group when `signal` aborts. Its last lines come back. */
  const run = async (
    command: Command,
    output: Output,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<{ readonly outcome: Outcome; readonly lines: readonly string[] }> => {
    let tail: Buffer = Buffer.alloc(0)
    const child = start(command, {
      ...output,
      write: (chunk) => {
        tail = Buffer.concat([tail, chunk]).subarray(-tailBytes)
        return output.write(chunk)
      },
    })
    signal?.addEventListener('abort', child.killGroup, { once: true })
    if (signal?.aborted) child.killGroup()
    const outcome = await child.ended
    signal?.removeEventListener('abort', child.killGroup)
    signal?.throwIfAborted()
    return {
      outcome,
      lines: tail
        .toString()
        .split('\n')
        .filter((line) => line !== ''),
    }
  }

  /** Children of ours by their name that we did not start: the kernel gave them to us when their parent ended. */
  const orphans = (name: string): readonly number[] =>
    readdirSync('/proc')
      .map(Number)
      .filter((pid) => {
        if (!(pid > 0) || own.has(pid)) return false
        try {
          const [, found, state, parent] =
            /\((.*)\) (\S) (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'latin1')) ?? []
          return found === name && state !== 'Z' && Number(parent) === process.pid
        } catch {
          return false // It is gone.
        }
      })

  return { start, run, orphans, isOwn: (pid: number): boolean => own.has(pid) }
}

export type Processes = ReturnType<typeof createProcesses>

/** Resident memory of a process and its children, in bytes; `null` when it is gone. */
export const memoryOf = (pid: number): number | null => {
  const resident = (id: number): number => {
    const match = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${id}/status`, 'utf8'))
    return Number(match?.[1] ?? 0) * 1024
  }
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .trim()
      .split(' ')
      .filter(Boolean)
      .map(Number)
    return resident(pid) + children.reduce((sum, child) => sum + (memoryOf(child) ?? 0), 0)
  } catch {
    return null
  }
}
