import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { execa } from 'execa'
import { afterEach, describe } from 'vitest'
import type { Status } from '../../src/core/status.ts'
import { freePort } from './port.ts'

/** Images built from the sample app; `test/fixtures/sample-app.Dockerfile` says how. */
export const image = process.env.TEST_IMAGE ?? 'mathesar-one:test'
export const leanImage = process.env.TEST_IMAGE_LEAN ?? 'mathesar-one:test-lean'
export const dataFolder = '/var/lib/mathesar'
/** How many times longer everything may take, on a machine that emulates another one, say. */
export const patience = Number(process.env.TEST_PATIENCE ?? 1)
/** Many times what it takes on an idle machine: how fast a boot is, is for the benchmark to say. */
export const readyLimitMs = 120_000
/** Docker kills after ten seconds, and the supervisor has its own count of them. */
export const stopLimitMs = 8000 * patience

export type Result = { readonly exitCode: number; readonly stdout: string; readonly stderr: string }

/** One command of Docker's client. Never throws: the exit code tells. */
export const docker = async (...args: string[]): Promise<Result> => {
  const { exitCode, stdout, stderr, shortMessage } = (await execa('docker', args, {
    reject: false,
    timeout: 280_000 * patience,
    stdin: 'ignore',
  })) as { exitCode?: number; stdout: string; stderr: string; shortMessage?: string }
  return {
    exitCode: exitCode ?? -1,
    stdout,
    stderr: stderr || (exitCode === undefined ? (shortMessage ?? '') : ''),
  }
}

/** The same where a failure is a fault of the test's surroundings. Resolves with stdout. */
export const mustDocker = async (...args: string[]): Promise<string> => {
  const { exitCode, stdout, stderr } = await docker(...args)
  if (exitCode !== 0) throw new Error(`docker ${args.join(' ')} ended with ${exitCode}: ${stderr}`)
  return stdout.trim()
}

const whyNot = async (): Promise<string | undefined> => {
  const engine = await docker('version', '--format', '{{.Server.Version}}')
  if (engine.exitCode !== 0) return `no Docker engine answers: ${engine.stderr.split('\n').at(-1)}`
  for (const name of [image, leanImage]) {
    if ((await docker('image', 'inspect', name)).exitCode !== 0) return `there is no image ${name}`
  }
  return undefined
}

/** Why container tests cannot run here, if they cannot. */
export const problem = await whyNot()
if (problem !== undefined) console.warn(`container tests are skipped: ${problem}`)

/** `describe` for tests that need the engine and the images; skipped with the reason in its name. */
export const describeContainer = (name: string, tests: () => void): void => {
  describe.skipIf(problem !== undefined)(
    problem === undefined ? name : `${name} (skipped: ${problem})`,
    tests,
  )
}

/**
 * Looks again and again until `look` gives something truthy; fails naming what it waited for. The limit is
 * that of a machine without `patience`.
 */
export const until = async <T>(
  what: string,
  look: () => Promise<T | undefined | false | null> | T | undefined | false | null,
  limitMs = 60_000,
  everyMs = 50,
): Promise<T> => {
  const allMs = limitMs * patience
  for (const end = Date.now() + allMs; ;) {
    const seen = await look()
    if (seen) return seen
    if (Date.now() > end) throw new Error(`waited ${allMs} ms in vain until ${what}`)
    await delay(everyMs)
  }
}

/** Given to each container, unless a test says otherwise. */
export const setupCode = 'the code of a test'

export type Options = {
  readonly image?: string
  /** Environment. PORT is a free one when not given, BIND_ADDRESS the loopback. */
  readonly env?: Readonly<Record<string, string>>
  /** A volume's name, with `:ro` if wanted; without it the container gets an anonymous one. */
  readonly volume?: string
  /** Further arguments of `docker run`. */
  readonly run?: readonly string[]
  /** Arguments of the supervisor. */
  readonly args?: readonly string[]
}

const made = { containers: new Set<string>(), volumes: new Set<string>() }
const newName = (kind: string): string => `mathesar-test-${kind}-${randomBytes(5).toString('hex')}`

/**
 * Removes what the tests made so far: their containers with anonymous volumes, then the named volumes. With
 * TEST_KEEP they stay, for a look at their logs.
 */
export const cleanUp = async (): Promise<void> => {
  if (process.env.TEST_KEEP) return
  const containers = [...made.containers]
  const volumes = [...made.volumes]
  made.containers.clear()
  made.volumes.clear()
  if (containers.length > 0) await docker('rm', '--force', '--volumes', ...containers)
  if (volumes.length > 0) await docker('volume', 'rm', '--force', ...volumes)
}

/**
 * Cleans up after each test of the file. Files that share a container among tests call `cleanUp` in afterAll
 * instead.
 */
export const cleanUpAfterEach = (): void => afterEach(cleanUp)

/** With `megabytes` it is in memory, and empty again when no container uses it. */
export const newVolume = async (megabytes?: number): Promise<string> => {
  const name = newName('volume')
  made.volumes.add(name)
  await mustDocker(
    'volume',
    'create',
    ...(megabytes === undefined
      ? []
      : ['--opt', 'type=tmpfs', '--opt', 'device=tmpfs', '--opt', `o=size=${megabytes}m`]),
    name,
  )
  return name
}

/**
 * Runs a shell script as root beside the supervisor, in a container of its own on the volume.
 * Resolves with stdout.
 */
export const onVolume = (volume: string, script: string): Promise<string> =>
  mustDocker(
    'run',
    '--rm',
    '--network',
    'none',
    '--entrypoint',
    'sh',
    '--volume',
    `${volume}:${dataFolder}`,
    '--workdir',
    dataFolder,
    image,
    '-euc',
    script,
  )

/** What `pg_controldata` says of the cluster in the volume, such as "shut down". */
export const clusterState = async (volume: string): Promise<string> => {
  const text = await mustDocker(
    'run',
    '--rm',
    '--network',
    'none',
    '--entrypoint',
    '/usr/lib/postgresql/17/bin/pg_controldata',
    '--volume',
    `${volume}:${dataFolder}`,
    image,
    '-D',
    `${dataFolder}/postgres`,
  )
  return /^Database cluster state:\s+(.*)$/m.exec(text)?.[1] ?? text
}

/** A checksum of everything in the volume that must last. */
export const checksumOf = (volume: string): Promise<string> =>
  onVolume(
    volume,
    `find . -type f ! -path './tmp/*' ! -name '.*lock' ! -name .holder -print0 | sort -z | ` +
      'xargs -0 sha256sum | sha256sum',
  )

/** `docker run --detach`. */
const run = async (name: string, port: number, options: Options): Promise<void> => {
  const env = { BIND_ADDRESS: '127.0.0.1', PORT: String(port), SETUP_CODE: setupCode, ...options.env }
  const ran = await docker(
    'run',
    '--detach',
    '--name',
    name,
    '--network',
    'host',
    ...Object.entries(env).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
    ...(options.volume === undefined
      ? []
      : ['--volume', options.volume.replace(/(:ro)?$/, `:${dataFolder}$1`)]),
    ...(options.run ?? []),
    options.image ?? image,
    ...(options.args ?? []),
  )
  if (ran.exitCode !== 0) throw new Error(`docker run failed: ${ran.stderr}`)
}

const catchesSignal = (procStatus: string, signal: number): boolean => {
  const caught = /^SigCgt:\s+([0-9a-f]+)/m.exec(procStatus)?.[1] ?? '0'
  return ((BigInt(`0x${caught}`) >> BigInt(signal - 1)) & 1n) === 1n
}

const lastLines = (log: string): string => log.split('\n').slice(-40).join('\n')

const statusIn = ({ exitCode, stdout, stderr }: Result): Status & { readonly exitCode: number } => {
  try {
    return { ...(JSON.parse(stdout) as Status), exitCode }
  } catch {
    throw new Error(`status is not JSON (exit code ${exitCode}): ${stdout}${stderr}`)
  }
}

export const start = async (options: Options = {}) => {
  const port = Number(options.env?.PORT) || (await freePort())
  const name = newName('box')
  made.containers.add(name)
  await run(name, port, options)

  const inspect = async (format: string): Promise<string> => mustDocker('inspect', '--format', format, name)
  const exec = (...argv: string[]): Promise<Result> => docker('exec', name, ...argv)
  const supervisor = (...argv: string[]): Promise<Result> => exec('supervisor', ...argv)
  const logs = async (): Promise<string> => {
    const { stdout, stderr } = await docker('logs', name)
    return `${stdout}\n${stderr}`.trim()
  }
  const isRunning = async (): Promise<boolean> => (await inspect('{{.State.Running}}')) === 'true'
  const status = async () => statusIn(await supervisor('status', '--json'))

  return {
    id: name,
    port,
    exec,
    supervisor,
    logs,
    isRunning,
    status,
    url: (path: string): string => `http://127.0.0.1:${port}${path}`,
    unit: async (unit: string) => (await status()).units.find((other) => other.name === unit)!,
    sh: (script: string): Promise<Result> => exec('sh', '-euc', script),
    signal: async (signal: string): Promise<void> =>
      void (await mustDocker('kill', '--signal', signal, name)),
    /** Resolves when `supervisor health` says so; fails with the log when it ends or the limit passes. */
    ready: async (limitMs = readyLimitMs): Promise<void> => {
      let answer: Result | undefined
      try {
        await until(
          'the container is ready',
          async () => {
            answer = await supervisor('health')
            if (answer.exitCode !== 0 && !(await isRunning()))
              throw new Error(`the container ended with ${await inspect('{{.State.ExitCode}}')}`)
            return answer.exitCode === 0
          },
          limitMs,
        )
      } catch (error) {
        const health = `${answer?.stdout}${answer?.stderr}`
        throw new Error(`${(error as Error).message}; health: ${health}\n${lastLines(await logs())}`)
      }
    },
    /** `docker stop`, with how long it took. */
    stop: async (): Promise<{ readonly exitCode: number; readonly ms: number }> => {
      const began = Date.now()
      await mustDocker('stop', '--time', String(10 * patience), name)
      return { ms: Date.now() - began, exitCode: Number(await inspect('{{.State.ExitCode}}')) }
    },
    /** The exit code, once the container has ended by itself. */
    ended: async (): Promise<number> => Number(await mustDocker('wait', name)),
    /** Whether a connection to the port has been accepted: only then does its socket have an inode. */
    serves: async (): Promise<boolean> => {
      const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}$`
      return (await exec('awk', `$2 ~ /${local}/ && $4 == "01" && $10 != 0`, '/proc/net/tcp')).stdout !== ''
    },
    /** Whether PID 1 has a handler for the signal. */
    catches: async (signal: number): Promise<boolean> =>
      catchesSignal((await exec('cat', '/proc/1/status')).stdout, signal),
    startAgain: async (): Promise<void> => void (await mustDocker('start', name)),
    remove: async (): Promise<void> => void (await mustDocker('rm', '--force', '--volumes', name)),
  }
}

export type Box = Awaited<ReturnType<typeof start>>

/** A browser of a few lines: cookies, and forms with Django's CSRF token. Redirects are not followed. */
export const browse = (box: Pick<Box, 'url'>) => {
  const cookies = new Map<string, string>()
  const send = async (
    path: string,
    init: RequestInit = {},
  ): Promise<{ readonly status: number; readonly location: string | null; readonly text: string }> => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(box.url(path), {
      redirect: 'manual',
      signal: AbortSignal.timeout(30_000),
      ...init,
      headers: { cookie, ...(init.headers as Readonly<Record<string, string>>) },
    })
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (name !== undefined) cookies.set(name, value ?? '')
    }
    return {
      status: response.status,
      location: response.headers.get('location'),
      text: await response.text(),
    }
  }
  return {
    get: (path: string, init?: RequestInit) => send(path, init),
    /** Gives the setup code, or the key of the link, as the form of the page does. */
    prove: (code: string = setupCode) =>
      send('/supervisor/owner', {
        method: 'POST',
        headers: { origin: new URL(box.url('/')).origin, accept: 'text/html' },
        body: new URLSearchParams({ code }),
      }),
    submit: async (path: string, fields: Readonly<Record<string, string>>) => {
      const { text } = await send(path)
      const token = /name="csrfmiddlewaretoken" value="([^"]+)"/.exec(text)?.[1]
      if (token === undefined) throw new Error(`there is no form at ${path}: ${text.slice(0, 500)}`)
      return await send(path, {
        method: 'POST',
        body: new URLSearchParams({ ...fields, csrfmiddlewaretoken: token }),
      })
    },
  }
}

export const admin = { username: 'admin', password: 'correct horse battery 9' }

/** Makes the administrator, as the owner does; the browser is then logged in. */
export const makeAdmin = async (box: Pick<Box, 'url'>): Promise<ReturnType<typeof browse>> => {
  const browser = browse(box)
  await browser.prove()
  const { status, text } = await browser.submit('/complete_installation/', {
    username: admin.username,
    password1: admin.password,
    password2: admin.password,
  })
  if (status !== 302) throw new Error(`cannot make the administrator: ${status} ${text}`)
  return browser
}

export const logIn = async (box: Pick<Box, 'url'>): Promise<ReturnType<typeof browse>> => {
  const browser = browse(box)
  const { status, text } = await browser.submit('/auth/login/', { ...admin, next: '/' })
  if (status !== 302) throw new Error(`cannot log in: ${status} ${text}`)
  return browser
}
