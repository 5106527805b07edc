import { isatty } from 'node:tty'
import type { User } from '../core/unit.ts'
import { exitNumber } from '../core/outcome.ts'
import { asUser } from './process.ts'

const forwarded = ['SIGTERM', 'SIGHUP'] as const

/** Whether what the container writes goes to somebody's terminal. */
export const isStdoutTerminal = (): boolean => isatty(1)

const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`

/**
 * Runs a program on the streams of this command; resolves with its exit code as a shell counts it. A program
 * of another user never gets this terminal itself: with root's terminal it could type the next command
 * (TIOCSTI), read what is typed later, or imitate a prompt. It gets a terminal of its own (`script`), or,
 * where not all three streams are a terminal, pipes and a session without one.
 */
export const runInTerminal = async (
  argv: readonly string[],
  options: {
    readonly env: Readonly<Record<string, string | undefined>>
    readonly user?: User | undefined
    readonly cwd?: string
  },
): Promise<number> => {
  const { execa } = await import('execa')
  const terminals = [0, 1, 2].map((fd) => options.user !== undefined && isatty(fd))
  const ownTerminal = terminals.every(Boolean)
  const command = asUser(argv, options.user)
  const [file, ...args] = ownTerminal
    ? ['script', '--quiet', '--return', '--command', `exec ${command.map(quote).join(' ')}`, '/dev/null']
    : command
  const [stdin, stdout, stderr] = terminals.map((isTerminal) =>
    isTerminal && !ownTerminal ? ('pipe' as const) : ('inherit' as const),
  )
  const running = execa(file!, args, {
    stdin: stdin!,
    stdout: stdout!,
    stderr: stderr!,
    buffer: false,
    reject: false,
    env: options.env as Record<string, string>,
    extendEnv: false,
    detached: terminals.some(Boolean) && !ownTerminal,
    ...(options.cwd ? { cwd: options.cwd } : {}),
  })
  if (running.stdin) process.stdin.pipe(running.stdin)
  running.stdout?.pipe(process.stdout)
  running.stderr?.pipe(process.stderr)
  // On a shared terminal the program gets Ctrl-C itself, and decides.
  process.on('SIGINT', () => {
    if (stdin === 'pipe') running.kill('SIGINT')
  })
  for (const signal of forwarded) process.on(signal, () => running.kill(signal))
  const result = await running
  process.stdin.unref?.()
  if (result instanceof Error && result.exitCode === undefined && !result.signal) throw result
  return exitNumber({
    code: result.exitCode ?? null,
    signal: result.signal ?? null,
  })
}
