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
import { freePort } from './port.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

export const postgresBin = process.env.TEST_POSTGRES_BIN
export const pythonBin = process.env.TEST_PYTHON_BIN
const whyMissing = (): string | undefined => {
  if (!postgresBin || !existsSync(`${postgresBin}/postgres`)) return 'no Postgres server (TEST_POSTGRES_BIN)'
  if (!pythonBin || !existsSync(`${pythonBin}/gunicorn`)) {
    return "no Python with the sample app's packages (TEST_PYTHON_BIN)"
  }
  return undefined
}
/** Why the supervisor cannot be run here with real parts; `undefined` when it can. */
export const missing = whyMissing()

export const until = async <T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  limitMs = 30_000,
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

/**
 * Runs the supervisor from source, with the sample app and a real Postgres,
 * as PID 1 of a namespace of its own where asked.
 */
export const startDaemon = async (
  volume: string,
  options: { env?: Record<string, string>; asPid1?: boolean; readOutput?: boolean } = {},
) => {
  const port = Number(options.env?.PORT) || (await freePort())
  const env: Record<string, string> = {
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
    ...options.env,
  }
  const node = [process.execPath, join(root, 'src/main.ts'), 'run']
  const argv = options.asPid1
    ? ['unshare', '--fork', '--pid', '--mount-proc', '--kill-child', '--', ...node]
    : node
  const child: ChildProcess = spawn(argv[0]!, argv.slice(1), { env, stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  if (options.readOutput !== false)
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  let exit: { code: number | null; signal: NodeJS.Signals | null } | undefined
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.once('exit', (code, signal) => {
      exit = { code, signal }
      resolve(exit)
    }),
  )
  /** The daemon's own pid here: the child of `unshare`, when there is one. */
  const pid = (): number =>
    options.asPid1
      ? Number(execFileSync('pgrep', ['-P', String(child.pid)], { encoding: 'utf8' }).trim())
      : child.pid!
  const cli = (...args: string[]): { code: number; text: string } => {
    try {
      return {
        code: 0,
        text: execFileSync(process.execPath, [join(root, 'src/main.ts'), ...args], {
          env,
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'pipe'],
        }),
      }
    } catch (error) {
      const { status, stdout, stderr } = error as { status: number; stdout: string; stderr: string }
      return { code: status, text: stdout + stderr }
    }
  }
  /** The same without a stop of this process, which may be busy measuring. `input` is its stdin. */
  const run = (args: readonly string[], input = ''): Promise<Answer> =>
    new Promise((resolve) => {
      const command = spawn(process.execPath, [join(root, 'src/main.ts'), ...args], {
        env,
        stdio: ['pipe', 'pipe', 'pipe'],
      })
      let text = ''
      for (const stream of [command.stdout, command.stderr])
        stream.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk
        })
      command.stdin.on('error', () => {}).end(input)
      command.once('close', (code) => resolve({ code: code ?? -1, text }))
    })
  const open = (
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      request(
        {
          socketPath: join(env.SUPERVISOR_RUN!, 'control/supervisor.sock'),
          method,
          path,
          agent: false,
          headers,
        },
        resolve,
      )
        .once('error', reject)
        .end(body === undefined ? undefined : JSON.stringify(body))
    })
  /** One request on the control socket. */
  const ask = async <Body = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ readonly status: number; readonly body: Body }> => {
    const response = await open(method, path, body)
    let text = ''
    for await (const chunk of response.setEncoding('utf8')) text += chunk
    return { status: response.statusCode!, body: JSON.parse(text) as Body }
  }
  /**
   * Proposes a change and hears of its steps; resolves with what came last,
   * also when the supervisor is killed meanwhile.
   */
  const follow = async (
    body: unknown,
    onStep: (step: string) => void,
  ): Promise<{ readonly result?: unknown; readonly error?: Named }> => {
    let last = {}
    try {
      for await (const line of createInterface({
        input: await open('POST', '/v1/config/changes', body, { accept: 'application/x-ndjson' }),
      })) {
        last = JSON.parse(line) as { step?: string }
        if ('step' in last) onStep(last.step as string)
      }
    } catch {
      /* It was killed. */
    }
    return last
  }
  /** A query to the embedded Postgres, as Mathesar's role. */
  const query = async (text: string): Promise<Record<string, string>[]> => {
    const client = new pg.Client({
      host: join(env.SUPERVISOR_RUN!, 'postgres'),
      user: 'mathesar',
      database: 'mathesar_django',
    })
    client.on('error', () => {}) // A query that loses its connection rejects.
    await client.connect()
    try {
      return (await client.query<Record<string, string>>(text)).rows
    } finally {
      await client.end()
    }
  }
  /**
   * Resolves when no change is going on: an entry of the history is written a moment before the change is
   * done.
   */
  const idle = () =>
    until(
      'no change to be going on',
      async () => !(await ask<{ changing: boolean }>('GET', '/v1/config')).body.changing,
    )
  /** What Mathesar has in its environment. */
  const inMathesar = async (name: string): Promise<string | null> =>
    ((await (await fetch(`http://127.0.0.1:${port}/env/?name=${name}`)).json()) as { value: string | null })
      .value
  return {
    port,
    env,
    pid,
    run,
    ask,
    follow,
    query,
    idle,
    inMathesar,
    config: join(env.SUPERVISOR_DATA!, 'config'),
    file: join(env.SUPERVISOR_DATA!, 'config/mathesar.env'),
    cli,
    exited,
    child,
    get output() {
      return output
    },
    get exit() {
      return exit
    },
    get url() {
      return `http://127.0.0.1:${port}`
    },
    status: () => JSON.parse(cli('status', '--json').text) as import('../../src/core/status.ts').Status,
    ready: async () => {
      await until(
        'the supervisor to be ready or gone',
        () => exit !== undefined || output.includes('Mathesar is ready'),
      ).catch((error: Error) => {
        throw new Error(`${error.message}\n${output}`)
      })
      if (exit) throw new Error(`the supervisor ended with ${exit.code}:\n${output}`)
    },
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
