// Docker's client, and the containers and volumes that a run makes: all carry its name,
// and all are removed with it.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { lacksBridge, Problem } from '../scripts/prepare.ts'

export const runName = `mathesar-bench-${randomBytes(3).toString('hex')}`
const hasBridge = !lacksBridge()
const running = new Set<ChildProcess>()
let leaving = false
let count = 0

export type Ended = { readonly code: number; readonly stdout: string; readonly stderr: string }

/** A program in a session of its own: Ctrl-C in the terminal must not tear it in the middle. */
const run = (args: readonly string[]): Promise<Ended> =>
  new Promise((resolve) => {
    const child = spawn('docker', args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
      timeout: 300_000,
    })
    const text = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (chunk: string) => {
        text[name] += chunk
      })
    running.add(child)
    child.once('error', (error) => {
      text.stderr += error.message
    })
    child.once('close', (code) => {
      running.delete(child)
      resolve({ code: code ?? 127, ...text })
    })
  })

/** One command of Docker's client. Never throws for a failure: the exit code tells. */
export const tryDocker = (...args: readonly string[]): Promise<Ended> =>
  leaving ? Promise.reject(new Problem('stopped')) : run(args)

/** The same where a failure is a fault of the surroundings. Resolves with stdout. */
export const docker = async (...args: readonly string[]): Promise<string> => {
  const { code, stdout, stderr } = await tryDocker(...args)
  if (code !== 0)
    throw new Problem(
      `\`docker ${args.join(' ').slice(0, 200)}\` ended with ${code}: ${stderr.trim().slice(-500)}`,
    )
  return stdout.trim()
}

/** Removes every container and volume of this run. After `leave` no further command is taken. */
export const cleanUp = async (options: { readonly leave?: boolean } = {}): Promise<void> => {
  leaving = options.leave ?? false
  // A `docker run` on its way would make its container after we looked.
  for (const end = Date.now() + 5000; running.size > 0 && Date.now() < end;) await delay(20)
  // The engine may have begun to remove one itself, and then says that it cannot.
  for (let tries = 0; tries < 3 && !(await removeAll()); tries++) await delay(500)
}

/** Resolves with whether nothing was there any more. */
const removeAll = async (): Promise<boolean> => {
  const list = async (...args: string[]): Promise<string[]> =>
    (await run(args)).stdout.split('\n').filter((name) => name.startsWith(runName))
  const containers = await list('ps', '--all', '--filter', `name=${runName}`, '--format', '{{.Names}}')
  if (containers.length > 0) await run(['rm', '--force', '--volumes', ...containers])
  const volumes = await list('volume', 'ls', '--quiet', '--filter', `name=${runName}`)
  if (volumes.length > 0) await run(['volume', 'rm', '--force', ...volumes])
  return containers.length + volumes.length === 0
}

export const newName = (): string => `${runName}-${++count}`

/**
 * Arguments of `docker run` that put a container's page on a loopback port: through a bridge,
 * or on the machine's own network where there is none.
 */
export const publish = (port: number): readonly string[] =>
  hasBridge
    ? ['--publish', `127.0.0.1:${port}:8000`, '--env', 'PORT=8000', '--env', 'BIND_ADDRESS=0.0.0.0']
    : ['--network', 'host', '--env', `PORT=${port}`, '--env', 'BIND_ADDRESS=127.0.0.1']

/**
 * Whether a port on the loopback belongs to somebody;
 * only where containers share it with the machine does that matter.
 */
export const isTaken = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    if (hasBridge) return resolve(false)
    const server = createServer()
    server.once('error', () => resolve(true))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(false)))
  })
