import { type ChildProcess, spawn, execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

export const postgresBin = process.env.TEST_POSTGRES_BIN
export const pythonBin = process.env.TEST_PYTHON_BIN
/** Why the supervisor cannot be run here with real parts; `undefined` when it can. */
export const missing = !postgresBin || !existsSync(`${postgresBin}/postgres`) ? 'no Postgres server (TEST_POSTGRES_BIN)' : !pythonBin || !existsSync(`${pythonBin}/gunicorn`) ? 'no Python with the sample app\'s packages (TEST_PYTHON_BIN)' : undefined

export const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })

export const until = async <T>(what: string, look: () => Promise<T | undefined | false> | T | undefined | false, limitMs = 30_000): Promise<T> => {
  const end = Date.now() + limitMs
  while (Date.now() < end) {
    const found = await Promise.resolve().then(look).catch(() => undefined)
    if (found) return found
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error(`waited ${limitMs} ms in vain for: ${what}`)
}

export type Daemon = Awaited<ReturnType<typeof startDaemon>>

/** A scratch volume that every user may enter. */
export const makeVolume = (): string => {
  const folder = mkdtempSync('/tmp/sv-')
  execFileSync('chmod', ['755', folder])
  return folder
}

/** Runs the supervisor from source, with the sample app and a real Postgres, as PID 1 of a namespace of its own where asked. */
export const startDaemon = async (volume: string, options: { env?: Record<string, string>; asPid1?: boolean; readOutput?: boolean } = {}) => {
  const port = await freePort()
  const env = {
    PATH: process.env.PATH!, SUPERVISOR_DATA: join(volume, 'data'), SUPERVISOR_RUN: join(volume, 'run'), SUPERVISOR_SHARE: join(volume, 'none'),
    SUPERVISOR_APP: join(root, 'test/fixtures/sample-app'), SUPERVISOR_GUNICORN_CONFIG: join(root, 'rootfs/etc/mathesar/gunicorn.conf.py'),
    SUPERVISOR_POSTGRES_BIN: postgresBin!, SUPERVISOR_PYTHON_BIN: pythonBin!, PORT: String(port), BIND_ADDRESS: '127.0.0.1', WEB_CONCURRENCY: '1',
    SAMPLE_APP_TEST: '1', SKIP_STATIC_COLLECTION: 'true', PYTHONDONTWRITEBYTECODE: '1', LOG_LEVEL: 'debug', ...options.env,
  }
  const node = [process.execPath, join(root, 'src/main.ts'), 'run']
  const argv = options.asPid1 ? ['unshare', '--fork', '--pid', '--mount-proc', '--kill-child', '--', ...node] : node
  const child: ChildProcess = spawn(argv[0]!, argv.slice(1), { env, stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  if (options.readOutput !== false) child.stdout!.setEncoding('utf8').on('data', (text: string) => { output += text })
  let exit: { code: number | null; signal: NodeJS.Signals | null } | undefined
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => child.once('exit', (code, signal) => { exit = { code, signal }; resolve(exit) }))
  /** The daemon's own pid here: the child of `unshare`, when there is one. */
  const pid = (): number => (options.asPid1 ? Number(execFileSync('pgrep', ['-P', String(child.pid)], { encoding: 'utf8' }).trim()) : child.pid!)
  const cli = (...args: string[]): { code: number; text: string } => {
    try {
      return { code: 0, text: execFileSync(process.execPath, [join(root, 'src/main.ts'), ...args], { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }) }
    } catch (error) {
      const { status, stdout, stderr } = error as { status: number; stdout: string; stderr: string }
      return { code: status, text: stdout + stderr }
    }
  }
  return {
    port, env, pid, cli, exited, child,
    get output() { return output },
    get exit() { return exit },
    get url() { return `http://127.0.0.1:${port}` },
    status: () => JSON.parse(cli('status', '--json').text) as import('../../src/core/status.ts').Status,
    ready: () => until('the supervisor to be ready', () => {
      if (exit) throw new Error(`the supervisor ended with ${exit.code}:\n${output}`)
      return output.includes('Mathesar is ready') || undefined
    }),
    signal: (name: NodeJS.Signals) => process.kill(pid(), name),
    /** Ends it as a test ends, whatever state it is in. */
    end: async () => {
      if (!exit) {
        child.stdout!.resume()
        process.kill(pid(), 'SIGTERM')
        await exited
      }
    },
  }
}

export const removeVolume = (volume: string): void => rmSync(volume, { recursive: true, force: true })
