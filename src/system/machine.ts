import { readFileSync, statfsSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import { SupervisorError } from '../errors.ts'
import type { Identities, Machine, Place } from '../units/place.ts'
import type { User } from '../core/unit.ts'
import { imageNode, readPaths } from './paths.ts'
import { findServiceUsers } from './users.ts'

const numberIn = (path: string): number => {
  try {
    return Number(readFileSync(path, 'utf8').trim())
  } catch {
    return Number.NaN
  }
}

/** What this container may use: the limit of cgroup v2 or v1, else the machine's memory. */
const readMachine = (): Machine => {
  const limits = ['/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes']
    .map(numberIn)
    .filter((limit) => limit > 0)
  let shmBytes = 0
  try {
    const { blocks, bsize } = statfsSync('/dev/shm')
    shmBytes = blocks * bsize
  } catch {
    /* No /dev/shm: as good as an empty one. */
  }
  return {
    memoryBytes: Math.min(totalmem(), ...limits),
    shmBytes,
    cpus: availableParallelism(),
    oomScoreAdj: numberIn('/proc/self/oom_score_adj') || 0,
  }
}

const readUsers = (): User[] =>
  readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [name = '', , uid, gid] = line.split(':')
      return { name, uid: Number(uid), gid: Number(gid) }
    })

/**
 * What root needs to run others as their own users, look into their folders and stop them, by the number of
 * its bit.
 */
const needed = { CHOWN: 0, DAC_OVERRIDE: 1, KILL: 5, SETGID: 6, SETUID: 7 }

/** Which of them this root has not. */
const missingCapabilities = (): string[] => {
  const effective = BigInt(
    `0x${/^CapEff:\s+([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`,
  )
  return Object.entries(needed)
    .filter(([, bit]) => ((effective >> BigInt(bit)) & 1n) === 0n)
    .map(([name]) => name)
}

const readIdentities = (): Identities => {
  const uid = process.getuid!()
  const users = readUsers()
  const supervisor = users.find((user) => user.uid === uid) ?? {
    name: String(uid),
    uid,
    gid: process.getgid!(),
  }
  if (uid !== 0) return { supervisor, postgres: undefined, mathesar: undefined }
  const missing = missingCapabilities()
  if (missing.length > 0) {
    throw new SupervisorError(
      'PRIVILEGES_INSUFFICIENT',
      `cannot start as root without ${missing.join(', ')}: Postgres and Mathesar run as users of their own`,
    )
  }
  return { supervisor, ...findServiceUsers(users, process.execPath === imageNode) }
}

/** Where we are: paths, users, machine and environment. */
export const readPlace = (environment: Place['environment']): Place => ({
  paths: readPaths(environment),
  identities: readIdentities(),
  machine: readMachine(),
  environment,
})
