import { accessSync, constants, readFileSync, statfsSync, statSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import { SupervisorError } from '../errors.ts'
import type { Identities, Machine, Place } from '../units/place.ts'
import type { User } from '../core/unit.ts'
import { readLimits } from './cgroup.ts'
import { readMounts } from './mounts.ts'
import { imageNode, readPaths } from './paths.ts'
import { findServiceUsers } from './users.ts'

const readIfThere = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** Bytes of /dev/shm that Postgres may use: none where its user may not write. */
const readShmBytes = (): number => {
  const path = '/dev/shm'
  try {
    accessSync(path, constants.W_OK)
    // Root may write where the user that it runs Postgres as may not.
    if (process.getuid!() === 0 && (statSync(path).mode & 0o002) === 0) return 0
    const { blocks, bsize } = statfsSync(path)
    return blocks * bsize
  } catch {
    return 0 // No /dev/shm: as good as an empty one.
  }
}

/** What this container may use. */
const readMachine = (): Machine => {
  const limits = readLimits(readMounts().values(), readIfThere('/proc/self/cgroup') ?? '', readIfThere)
  return {
    memoryBytes: Math.min(totalmem(), limits.memoryBytes),
    shmBytes: readShmBytes(),
    cpus: Math.min(availableParallelism(), Math.round(limits.cpus * 100) / 100),
    processes: limits.processes,
    oomScoreAdj: Number(readIfThere('/proc/self/oom_score_adj')) || 0,
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
  if (uid !== 0) return { supervisor, postgres: undefined, mathesar: undefined, door: undefined }
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
