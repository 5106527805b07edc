import { type ChildProcess, spawn, execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import type { Status } from '../../src/core/status.ts'
import { freePort } from './port.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

export const postgresBin = process.env.TEST_POSTGRES_BIN
export const pythonBin = process.env.TEST_PYTHON_BIN
const isThere = (folder: string | undefined, program: string): boolean =>
  folder !== undefined && existsSync(`${folder}/${program}`)
const whyMissing = (): string | undefined => {
  if (!isThere(postgresBin, 'postgres')) return 'no Postgres server (TEST_POSTGRES_BIN)'
  if (isThere(pythonBin, 'gunicorn')) return undefined
  return "no Python with the sample app's packages (TEST_PYTHON_BIN)"
}
/** Why the supervisor cannot be run here with real parts; `undefined` when it can. */
export const missing = whyMissing()

export const until = async <T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  limitMs = 60_000,
): Promise<T> => {
  const end = Date.now() + limitMs
  while (Date.now() < end) {
    const found = await Promise.resolve()
      .then(look)
      .catch(() => undefined)
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

/** A volume that has booted once, to be copied: a boot on a copy makes no cluster and runs no migrations. */
export const makeTemplate = async (): Promise<string> => {
  const volume = makeVolume()
  const daemon = await startDaemon(volume, { env: { LOG_LEVEL: 'info' } })
  await daemon.ready()
  const migrations = await daemon.query("SELECT app || '.' || name AS migration FROM django_migrations")
  await daemon.end()
  for (const leftover of ['history', 'config']) rmSync(join(volume, 'data', leftover), { recursive: true })
  mkdirSync(join(volume, 'share'))
  writeFileSync(join(volume, 'share/migrations.json'), JSON.stringify(migrations.map((row) => row.migration)))
  return volume
}

export const copyVolume = (template: string): string => {
  const volume = makeVolume()
  for (const folder of ['data', 'share']) execFileSync('cp', ['-a', join(template, folder), volume])
  return volume
}

/** Processes that have to do with the volume. */
export const processesOn = (volume: string): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      const look = (read: () => string): boolean => {
        try {
          return read().includes(`${volume}/`)
        } catch {
          return false
        }
      }
      return (
        look(() => readFileSync(`/proc/${pid}/environ`, 'latin1')) ||
        look(() => `${readlinkSync(`/proc/${pid}/cwd`)}/`)
      )
    })

/** What Postgres says of the cluster in the volume, such as "shut down". */
export const clusterState = (volume: string): string =>
  /state:\s+(.*)/.exec(
    execFileSync(`${postgresBin}/pg_controldata`, ['-D', join(volume, 'data/postgres')], {
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C' },
    }),
  )![1]!

export type Answer = { readonly code: number; readonly text: string }
type Named = { readonly code: string; readonly message: string; readonly hint: string }
type Variables = Readonly<Record<string, string>>
type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null }
type Options = {
  readonly env?: Variables
  readonly asPid1?: boolean
  readonly readOutput?: boolean
}

const main = join(root, 'src/main.ts')

const variablesOf = (volume: string, port: number, more: Variables = {}) => ({
  PATH: process.env.PATH!,
  SUPERVISOR_DATA: join(volume, 'data'),
  SUPERVISOR_RUN: join(volume, 'run'),
  SUPERVISOR_SHARE: join(volume, 'share'),
  SUPERVISOR_APP: join(root, 'test/fixtures/sample-app'),
  SUPERVISOR_GUNICORN_CONFIG: join(root, 'rootfs/etc/mathesar/gunicorn.conf.py'),
  SUPERVISOR_POSTGRES_BIN: postgresBin!,
  SUPERVISOR_PYTHON_BIN: pythonBin!,
  PORT: String(port),
  BIND_ADDRESS: '127.0.0.1',
  WEB_CONCURRENCY: '1',
  SAMPLE_APP_TEST: '1',
  SKIP_STATIC_COLLECTION: 'true',
  PYTHONDONTWRITEBYTECODE: '1',
  LOG_LEVEL: 'debug',
  ...more,
})
type Environment = ReturnType<typeof variablesOf>

/** The process of the daemon, what it wrote, and how it ended. */
const startProcess = (env: Environment, { asPid1 = false, readOutput = true }: Options) => {
  const node = [process.execPath, main, 'run']
  const argv = asPid1 ? ['unshare', '--fork', '--pid', '--mount-proc', '--kill-child', '--', ...node] : node
  const child: ChildProcess = spawn(argv[0]!, argv.slice(1), { env, stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  if (readOutput)
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  let exit: Exit | undefined
  const exited = new Promise<Exit>((resolve) =>
    child.once('exit', (code, signal) => {
      exit = { code, signal }
      resolve(exit)
    }),
  )
  return {
    child,
    exited,
    output: () => output,
    exit: () => exit,
    /** Its own pid here: that of the child of `unshare`, when there is one. */
    pid: (): number =>
      asPid1
        ? Number(execFileSync('pgrep', ['-P', String(child.pid)], { encoding: 'utf8' }).trim())
        : child.pid!,
  }
}

/** Runs a command of the supervisor to its end. */
const runCommand = (env: Environment, args: readonly string[]): Answer => {
  try {
    const text = execFileSync(process.execPath, [main, ...args], {
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    return { code: 0, text }
  } catch (error) {
    const { status, stdout, stderr } = error as { status: number; stdout: string; stderr: string }
    return { code: status, text: stdout + stderr }
  }
}

/** The same without a stop of this process, which may be busy measuring. `input` is its stdin. */
const startCommand = (env: Environment, args: readonly string[], input = ''): Promise<Answer> =>
  new Promise((resolve) => {
    const command = spawn(process.execPath, [main, ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] })
    let text = ''
    for (const stream of [command.stdout, command.stderr])
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
    command.stdin.on('error', () => {}).end(input)
    command.once('close', (code) => resolve({ code: code ?? -1, text }))
  })

const open = (
  { SUPERVISOR_RUN }: Environment,
  method: string,
  path: string,
  body?: unknown,
  headers: Variables = {},
): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const socketPath = join(SUPERVISOR_RUN, 'control/supervisor.sock')
    request({ socketPath, method, path, agent: false, headers }, resolve)
      .once('error', reject)
      .end(body === undefined ? undefined : JSON.stringify(body))
  })

/** What asks on the control socket. */
const askOn = (env: Environment) => ({
  /** One request. */
  ask: async <Body = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ readonly status: number; readonly body: Body }> => {
    const response = await open(env, method, path, body)
    let text = ''
    for await (const chunk of response.setEncoding('utf8')) text += chunk
    return { status: response.statusCode!, body: JSON.parse(text) as Body }
  },
  /**
   * Proposes a change and hears of its steps; resolves with what came last, also when the supervisor is
   * killed meanwhile.
   */
  follow: async (
    body: unknown,
    onStep: (step: string) => void,
  ): Promise<{ readonly result?: unknown; readonly error?: Named }> => {
    let last = {}
    const headers = { accept: 'application/x-ndjson' }
    try {
      const input = await open(env, 'POST', '/v1/config/changes', body, headers)
      for await (const line of createInterface({ input })) {
        last = JSON.parse(line) as { step?: string }
        if ('step' in last) onStep(last.step as string)
      }
    } catch {
      /* It was killed. */
    }
    return last
  },
})

/** A query to the embedded Postgres, as Mathesar's role. */
const queryOn = async ({ SUPERVISOR_RUN }: Environment, text: string): Promise<Record<string, string>[]> => {
  const host = join(SUPERVISOR_RUN, 'postgres')
  const client = new pg.Client({ host, user: 'mathesar', database: 'mathesar_django' })
  client.on('error', () => {}) // A query that loses its connection rejects.
  await client.connect()
  try {
    return (await client.query<Record<string, string>>(text)).rows
  } finally {
    await client.end()
  }
}

/**
 * Runs the supervisor from source, with the sample app and a real Postgres, as PID 1 of a namespace of its
 * own where asked.
 */
export const startDaemon = async (volume: string, options: Options = {}) => {
  const port = Number(options.env?.PORT) || (await freePort())
  const env = variablesOf(volume, port, options.env)
  const { child, exited, output, exit, pid } = startProcess(env, options)
  const { ask, follow } = askOn(env)
  const url = `http://127.0.0.1:${port}`
  const cli = (...args: string[]): Answer => runCommand(env, args)
  return {
    port,
    url,
    env,
    pid,
    child,
    exited,
    ask,
    follow,
    cli,
    run: (args: readonly string[], input?: string) => startCommand(env, args, input),
    query: (text: string) => queryOn(env, text),
    config: join(env.SUPERVISOR_DATA, 'config'),
    file: join(env.SUPERVISOR_DATA, 'config/mathesar.env'),
    get output() {
      return output()
    },
    get exit() {
      return exit()
    },
    status: () => JSON.parse(cli('status', '--json').text) as Status,
    /**
     * Resolves when no change is going on: an entry of the history is written a moment before the change is
     * done.
     */
    idle: () =>
      until('no change to be going on', async () => {
        const { body } = await ask<{ changing: boolean }>('GET', '/v1/config')
        return !body.changing
      }),
    /** What Mathesar has in its environment. */
    inMathesar: async (name: string): Promise<string | null> =>
      ((await (await fetch(`${url}/env/?name=${name}`)).json()) as { value: string | null }).value,
    ready: async () => {
      const isOver = (): boolean => exit() !== undefined || output().includes('Mathesar is ready')
      await until('the supervisor to be ready or gone', isOver).catch((error: Error) => {
        throw new Error(`${error.message}\n${output()}`)
      })
      if (exit()) throw new Error(`the supervisor ended with ${exit()?.code}:\n${output()}`)
    },
    signal: (name: NodeJS.Signals) => process.kill(pid(), name),
    /** Ends it as a test ends, whatever state it is in. */
    end: async () => {
      if (exit()) return
      child.stdout!.resume()
      process.kill(pid(), 'SIGTERM')
      await exited
    },
  }
}

export const removeVolume = (volume: string): void => rmSync(volume, { recursive: true, force: true })
