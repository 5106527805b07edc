import { readdirSync, readFileSync } from 'node:fs'
import type { System } from './ports.ts'

const linesOf = (path: string): readonly string[] => {
  try {
    return readFileSync(path, 'latin1').split('\n').slice(1)
  } catch {
    return [] // Without IPv6, or without /proc/net.
  }
}

const listening = '0A'

/** For a socket that listens the kernel shows how many wait as its receive queue (`get_tcp4_sock`). */
const waitingOnPort = (port: number): number => {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`
  return [...linesOf('/proc/net/tcp'), ...linesOf('/proc/net/tcp6')]
    .map((line) => line.trim().split(/\s+/))
    .filter(([, address = '', , state]) => address.endsWith(local) && state === listening)
    .reduce((sum, [, , , , queues = '']) => sum + Number.parseInt(queues.split(':')[1] ?? '0', 16), 0)
}

/** A connection that nobody has accepted has no inode yet, and the path of the socket that it waits in. */
const waitingOnPath = (path: string): number =>
  linesOf('/proc/net/unix').filter((line) => {
    const [, , , , , , inode, there] = line.trim().split(/\s+/)
    return inode === '0' && there === path
  }).length

/** How many connections wait in a socket that listens. */
export const countWaiting: System['countWaiting'] = (target) =>
  'port' in target ? waitingOnPort(target.port) : waitingOnPath(target.socketPath)

/** What this process has used. */
export const measureSelf: System['measureSelf'] = () => {
  const { user, system } = process.cpuUsage()
  return { cpuSeconds: (user + system) / 1e6, openFds: readdirSync('/proc/self/fd').length }
}
