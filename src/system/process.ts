import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, fchownSync, writeFileSync } from 'node:fs'
import type { Outcome } from '../core/outcome.ts'
import type { Command, User } from '../core/unit.ts'
import { SupervisorError } from '../errors.ts'
import type { Kernel } from './kernel.ts'
import { type Output, PipeReader } from './output.ts'
import { childrenNamed } from './proc.ts'

const tailBytes = 16 * 1024
const pipeBytes = 256 * 1024

export type RunningProcess = {
  readonly pid: number
  /** Resolves when it has exited and its output is read, or 0.5 s later: a grandchild may hold the pipe. */
  readonly ended: Promise<Outcome>
  readonly signal: (signal: NodeJS.Signals) => void
  /**
   * Signals the whole process group: gunicorn tells its workers only after a while, and they outlive a killed
   * master by seconds.
   */
  readonly signalGroup: (signal: NodeJS.Signals) => void
  /** SIGKILL to the same. */
  readonly killGroup: () => void
}

/** `argv` as another user, with its supplementary groups (the `uid` of Node drops them) and no way back. */
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

/**
 * Sent to a service whose supervisor was killed: Postgres and gunicorn both exit at once and cleanly. With
 * PID 1 the kernel kills all.
 */
export const whenOrphaned = process.pid === 1 ? [] : ['--pdeathsig=INT']

/** Signals a process, or a group by its negative id, unless it is gone. */
export const kill = (pid: number, signal: NodeJS.Signals): void => {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Before the program has children, which inherit the score. */
const adjustOomScore = (pid: number, { oomScoreAdj }: Command): void => {
  if (oomScoreAdj === undefined) return
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(oomScoreAdj))
  } catch {
    /* It is gone, or /proc is read-only. */
  }
}

/** Spawns with both outputs on `fd`, which is closed here. */
const spawnOn = (fd: number, file: string, args: readonly string[], command: Command): ChildProcess => {
  try {
    if (command.user && command.reopensOutput) fchownSync(fd, command.user.uid, command.user.gid)
    return spawn(file, args, {
      cwd: command.cwd ?? '/',
      env: command.env,
      detached: true,
      stdio: ['ignore', fd, fd, ...(command.fds ?? [])],
    })
  } catch (cause) {
    throw new SupervisorError('INTERNAL', `cannot start ${file}: ${(cause as Error).message}`, { cause })
  } finally {
    closeSync(fd)
  }
}

/** Resolves with how it exited. What cannot be started exits as in a shell, with the reason in its output. */
export const outcomeOf = (
  child: ChildProcess,
  file: string,
  write: (chunk: Buffer) => unknown,
): Promise<Outcome> =>
  new Promise((resolve) => {
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (child.pid !== undefined) return // Only a signal that could not be sent: it runs.
      void write(Buffer.from(`cannot start ${file}: ${error.message}\n`))
      resolve({ code: error.code === 'ENOENT' ? 127 : 126, signal: null })
    })
    child.once('exit', (code, signal) => resolve({ code, signal }))
  })

/** The last lines of what a program writes. */
export class LastLines {
  #bytes: Buffer = Buffer.alloc(0)

  add(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]).subarray(-tailBytes)
  }

  get lines(): readonly string[] {
    const lines = this.#bytes.toString().split('\n')
    return lines.filter((line) => line !== '')
  }
}

export type Ran = { readonly outcome: Outcome; readonly lines: readonly string[] }

/** Resolves when the process has exited, with its last lines; kills its whole group when `signal` aborts. */
const runToEnd = async (
  start: (output: Output) => RunningProcess,
  output: Output,
  signal: AbortSignal | undefined,
): Promise<Ran> => {
  const last = new LastLines()
  const child = start({
    write: (chunk) => {
      last.add(chunk)
      return output.write(chunk)
    },
    flush: output.flush,
  })
  signal?.addEventListener('abort', child.killGroup, { once: true })
  if (signal?.aborted) child.killGroup()
  const outcome = await child.ended
  signal?.removeEventListener('abort', child.killGroup)
  signal?.throwIfAborted()
  return { outcome, lines: last.lines }
}

/**
 * The children that this process waits for. It has one list of them, as it has one of children in the
 * kernel: a reaper that knew only some would take the exit status of others.
 */
const own = new Set<number>()

/** Starts processes and knows which children are ours. */
export const createProcesses = (kernel: Pick<Kernel, 'pipe'>) => {
  const reader = new PipeReader()

  const start = (command: Command, output: Output): RunningProcess => {
    const [file = '', ...args] = asUser(command.argv, command.user, whenOrphaned)
    const pipe = kernel.pipe(pipeBytes)
    let child: ChildProcess
    try {
      child = spawnOn(pipe.write, file, args, command)
    } catch (error) {
      closeSync(pipe.read)
      throw error
    }
    const { pid } = child
    if (pid !== undefined) {
      own.add(pid) // In the tick of the spawn: the reaper cannot run before.
      adjustOomScore(pid, command)
    }
    const readRest = reader.read(pipe.read, output)
    const ended = outcomeOf(child, file, output.write).then(async (outcome) => {
      if (pid !== undefined) own.delete(pid)
      await readRest()
      return outcome
    })
    const signalGroup = (signal: NodeJS.Signals): void => {
      if (pid !== undefined) kill(-pid, signal)
    }
    return {
      pid: pid ?? 0,
      ended,
      signal: (signal) => void child.kill(signal),
      signalGroup,
      killGroup: () => signalGroup('SIGKILL'),
    }
  }

  const isOwn = (pid: number): boolean => own.has(pid)

  return {
    start,
    /** Runs a program until it exits; an aborted `signal` kills its whole group. */
    run: (command: Command, output: Output, signal?: AbortSignal): Promise<Ran> =>
      runToEnd((tee) => start(command, tee), output, signal),
    /** Which are ours; whoever spawns elsewhere adds its own. */
    own: own as Pick<Set<number>, 'add' | 'delete'>,
    isOwn,
    /** Children by their name that we did not start: the kernel gave them to us when their parent exited. */
    orphans: (name: string): readonly number[] => childrenNamed(name, isOwn),
  }
}

export type Processes = ReturnType<typeof createProcesses>
