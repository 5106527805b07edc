import type { User } from '../core/unit.ts'
import { exitNumber } from '../core/outcome.ts'
import { asUser } from '../system/process.ts'

/** Runs a program on this terminal to its end; resolves with its exit code as a shell counts it. */
export const runInTerminal = async (argv: readonly string[], options: { readonly env: Readonly<Record<string, string | undefined>>; readonly user?: User | undefined; readonly cwd?: string }): Promise<number> => {
  const { execa } = await import('execa')
  process.on('SIGINT', () => {}) // The terminal sends it to the program too, which decides.
  const [file, ...args] = asUser(argv, options.user)
  const result = await execa(file!, args, { stdio: 'inherit', env: options.env as Record<string, string>, extendEnv: false, reject: false, ...(options.cwd ? { cwd: options.cwd } : {}) })
  if (result.failed && result.exitCode === undefined && !result.signal) throw result
  return exitNumber({ code: result.exitCode ?? null, signal: (result.signal as NodeJS.Signals | undefined) ?? null })
}
