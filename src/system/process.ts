import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Outcome } from '../core/outcome.ts'
import type { Command, User } from '../core/unit.ts'
import { SupervisorError } from '../errors.ts'
import type { Kernel } from './kernel.ts'

const drainLimitMs = 500

export type RunningProcess = {
  readonly pid: number
  /** Resolves once the process has ended and its output is read, or half a second later: a grandchild may hold the pipe open. */
  readonly ended: Promise<Outcome>
  readonly signal: (signal: NodeJS.Signals) => void
  /** SIGKILL to the whole process group: gunicorn's workers outlive a killed master by seconds. */
  readonly killGroup: () => void
}

/** `argv` run as another user, its supplementary groups set right (Node's own `uid` option drops them) and no way back. */
export const asUser = (argv: readonly string[], user: User | undefined, more: readonly string[] = []): readonly string[] => {
  const options = [...(user === undefined ? [] : [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--init-groups', '--inh-caps=-all', '--no-new-privs']), ...more]
  return options.length === 0 ? argv : ['setpriv', ...options, '--', ...argv]
}

/** Sent to a service whose supervisor was killed. Postgres and gunicorn both end at once and in order. With PID 1 the kernel ends all. */
const whenOrphaned = process.pid === 1 ? [] : ['--pdeathsig=INT']

const quietly = (act: () => void): void => {
  try {
    act()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Starts processes and knows which children are ours. The one place that spawns. */
export const createProcesses = (kernel: Pick<Kernel, 'pipe'>) => {
  const own = new Set<number>()

  const start = (command: Command, onLine: (line: string) => void): RunningProcess => {
    const [file, ...args] = asUser(command.argv, command.user, whenOrphaned)
    const pipe = kernel.pipe()
    let child: ChildProcess
    try {
      child = spawn(file!, args, { cwd: command.cwd ?? '/', env: command.env, detached: true, stdio: ['ignore', pipe.write, pipe.write, ...(command.fds ?? [])] })
    } catch (cause) {
      closeSync(pipe.read)
      throw new SupervisorError('INTERNAL', `cannot start ${file}: ${(cause as Error).message}`, { cause })
    } finally {
      closeSync(pipe.write)
    }
    const pid = child.pid
    if (pid !== undefined) own.add(pid) // In the tick of the spawn: the reaper cannot run before.

    const output = new Socket({ fd: pipe.read, readable: true, writable: false })
    let partial = ''
    output.setEncoding('utf8')
    output.on('data', (chunk: string) => {
      const lines = (partial + chunk).split('\n')
      partial = lines.pop()!
      for (const line of lines) onLine(line)
    })
    output.on('error', () => output.destroy())
    const drained = new Promise<void>((resolve) => output.once('close', () => {
      if (partial !== '') onLine(partial)
      resolve()
    }))

    const ended = new Promise<Outcome>((resolve) => {
      child.once('error', (error: NodeJS.ErrnoException) => {
        onLine(`cannot start ${file}: ${error.message}`)
        resolve({ code: error.code === 'ENOENT' ? 127 : 126, signal: null })
      })
      child.once('exit', (code, signal) => resolve({ code, signal }))
    }).then(async (outcome) => {
      if (pid !== undefined) own.delete(pid)
      const limit = setTimeout(() => output.destroy(), drainLimitMs)
      await drained
      clearTimeout(limit)
      return outcome
    })

    return {
      pid: pid ?? 0,
      ended,
      signal: (signal) => void child.kill(signal),
      killGroup: () => { if (pid !== undefined) quietly(() => process.kill(-pid, 'SIGKILL')) },
    }
  }

  /** Runs a program to its end; ends its whole group when `signal` aborts. `input` goes to its stdin. */
  const run = async (command: Command, options: { signal?: AbortSignal; input?: NodeJS.ReadableStream; onLine?: (line: string) => void } = {}): Promise<{ readonly outcome: Outcome; readonly lines: readonly string[] }> => {
    const { execa } = await import('execa')
    const [file, ...args] = asUser(command.argv, command.user)
    const lines: string[] = []
    const child = execa(file!, args, {
      cwd: command.cwd ?? '/', env: command.env, extendEnv: false, detached: true, reject: false, all: true, buffer: false, maxBuffer: 1e9,
      stdin: options.input ? 'pipe' : 'ignore',
    })
    if (child.pid !== undefined) own.add(child.pid)
    const killGroup = (): void => { if (child.pid !== undefined) quietly(() => process.kill(-child.pid!, 'SIGKILL')) }
    options.signal?.addEventListener('abort', killGroup, { once: true })
    try {
      if (options.signal?.aborted) killGroup()
      if (options.input && child.stdin) {
        child.stdin.on('error', () => {}) // The exit code says why it closed its input.
        options.input.pipe(child.stdin)
      }
      for await (const line of child.iterable({ from: 'all' })) {
        options.onLine?.(line)
        lines.push(line)
        if (lines.length > 200) lines.shift()
      }
      const result = await child
      options.signal?.throwIfAborted()
      return { outcome: { code: result.exitCode ?? (result.failed && !result.signal ? 127 : null), signal: (result.signal as NodeJS.Signals | undefined) ?? null }, lines }
    } finally {
      options.signal?.removeEventListener('abort', killGroup)
      if (child.pid !== undefined) own.delete(child.pid)
    }
  }

  return { start, run, isOwn: (pid: number): boolean => own.has(pid) }
}

export type Processes = ReturnType<typeof createProcesses>

/** Resident memory of a process and its children, in bytes; `null` when it is gone. */
export const memoryOf = (pid: number): number | null => {
  const resident = (id: number): number => {
    const match = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${id}/status`, 'utf8'))
    return Number(match?.[1] ?? 0) * 1024
  }
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number)
    return resident(pid) + children.reduce((sum, child) => sum + (memoryOf(child) ?? 0), 0)
  } catch {
    return null
  }
}
