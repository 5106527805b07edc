// Who is measured: our image, and five other ways of running the same Postgres and the same app.
import { setTimeout as delay } from 'node:timers/promises'
import { Problem } from '../scripts/prepare.ts'
import { freePort } from '../test/helpers/port.ts'
import { docker, newName, publish, tryDocker } from './docker.ts'
import { type Answered, waitForPage } from './page.ts'

export const peerNames = ['ours', 'mathesar', 'supervisord', 's6', 'tini', 'floor'] as const
export type PeerName = (typeof peerNames)[number]

export type Peer = {
  readonly name: PeerName
  readonly title: string
  /** What runs as PID 1; nothing where the image says so itself. */
  readonly command: readonly string[]
  /** Whether its data lies where ours does, so that a prepared volume serves it. */
  readonly takesVolume: boolean
  /** The folder of Postgres's socket. */
  readonly socket: string
}

const peer = (name: PeerName, title: string, command: readonly string[], more: Partial<Peer> = {}): Peer => ({
  name,
  title,
  command,
  takesVolume: true,
  socket: '/dev/shm/peer',
  ...more,
})

// oxfmt-ignore
export const peers: Readonly<Record<PeerName, Peer>> = {
  ours: peer('ours', 'our image', [], { socket: '/run/mathesar/postgres' }),
  mathesar: peer('mathesar', "Mathesar's own way", ['/bench/bin/mathesar-own'], { takesVolume: false, socket: '/var/run/postgresql' }),
  supervisord: peer('supervisord', 'supervisord', ['/opt/supervisord/bin/supervisord', '-c', '/bench/supervisord.conf']),
  s6: peer('s6', 's6', ['/bench/bin/run-s6']),
  tini: peer('tini', 'tini and a script', ['tini', '--', '/bench/bin/run-all']),
  floor: peer('floor', 'the floor', ['/bench/bin/by-hand']),
}

/** What the peers are made of, ready to be run. */
export type Images = { readonly ours: string; readonly peers: string }

const dataFolder = '/var/lib/mathesar'

export type Start = {
  readonly volume?: string
  /** Whether the volume outlives the box. */
  readonly keepsVolume?: boolean
  readonly env?: Readonly<Record<string, string>>
  /** In place of the peer's own command. */
  readonly command?: readonly string[]
  /** Further arguments of `docker run`. */
  readonly run?: readonly string[]
  /** WEB_CONCURRENCY: 2 when not given, and left to the image when 0. */
  readonly workers?: number
}

/** The arguments of docker for it. */
const runArguments = (images: Images, peer: Peer, options: Start, name: string, port: number): string[] => {
  const ours = peer.name === 'ours'
  const command = options.command ?? (ours ? [] : ['/bench/bin/stamp', ...peer.command])
  const env = {
    ...(options.workers === 0 ? {} : { WEB_CONCURRENCY: String(options.workers ?? 2) }),
    ...(ours ? { ADMIN_SETUP: 'open' } : { SECRET_KEY: 'bench' }),
    ...options.env,
  }
  return [
    'run',
    '--detach',
    '--name',
    name,
    ...publish(port),
    ...Object.entries(env).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
    ...(peer.takesVolume
      ? ['--volume', `${options.volume ?? name}:${dataFolder}`]
      : ['--volume', '/var/lib/postgresql', '--volume', '/etc/postgresql']),
    ...(options.run ?? []),
    // --entrypoint also resets the image's command.
    ...(options.command && ours
      ? ['--entrypoint', command[0]!, images.ours, ...command.slice(1)]
      : [ours ? images.ours : images.peers, ...command]),
  ]
}

/** One container of a peer. `run` creates and starts it; `start` starts it again. */
export const createBox = async (images: Images, peer: Peer, options: Start = {}) => {
  const name = newName()
  const port = await freePort()
  const inspect = (format: string): Promise<string> => docker('inspect', '--format', format, name)
  /** Also where there is no container yet: `docker run` is still making it. */
  const isAlive = async (): Promise<boolean> =>
    !['exited', 'dead'].includes(
      (await tryDocker('inspect', '--format', '{{.State.Status}}', name)).stdout.trim(),
    )
  const logs = async (): Promise<string> => {
    const { stdout, stderr } = await tryDocker('logs', '--timestamps', name)
    return stdout + stderr
  }
  const exec = (...argv: readonly string[]): Promise<string> => docker('exec', name, ...argv)

  return {
    name,
    port,
    peer,
    inspect,
    logs,
    exec,
    run: (): Promise<string> => docker(...runArguments(images, peer, options, name, port)),
    startAgain: (): Promise<string> => docker('start', name),
    page: async (): Promise<Answered> => {
      try {
        return await waitForPage(port, isAlive)
      } catch (error) {
        throw new Problem(
          `${peer.title}: ${(error as Error).message}; ` +
            `its last lines:\n${(await logs()).split('\n').sort().slice(-15).join('\n')}`,
        )
      }
    },
    /** Runs a shell script as root inside. */
    sh: (script: string): Promise<string> => exec('bash', '-euc', script),
    /** Waits for the `count`th line of the log that `pattern` matches; gives what its first group holds. */
    line: async (pattern: RegExp, count = 1, limitMs = 30_000): Promise<string> => {
      for (const end = Date.now() + limitMs; Date.now() < end; await delay(25)) {
        const found = [...(await logs()).matchAll(pattern)]
        if (found.length >= count) return found[count - 1]![1]!
      }
      throw new Problem(`${peer.title}: waited ${limitMs / 1000} s in vain for ${pattern} in its log`)
    },
    stop: (): Promise<string> => docker('stop', '--time', '10', name),
    remove: async (): Promise<void> => {
      await docker('rm', '--force', '--volumes', name)
      if (peer.takesVolume && !options.keepsVolume)
        await docker('volume', 'rm', '--force', options.volume ?? name)
    },
  }
}

export type Box = Awaited<ReturnType<typeof createBox>>
