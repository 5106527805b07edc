import { readFileSync, statfsSync } from 'node:fs'
import { availableParallelism, totalmem } from 'node:os'
import type { Machine } from '../units/postgres/sizing.ts'
import type { User } from '../core/unit.ts'

const numberIn = (path: string): number => {
  try {
    return Number(readFileSync(path, 'utf8').trim())
  } catch {
    return Number.NaN
  }
}

export const readOomScoreAdj = (): number => numberIn('/proc/self/oom_score_adj') || 0

/** What this container may use: the limit of cgroup v2 or v1, else the machine's memory. */
export const readMachine = (): Machine => {
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
  const memoryBytes = Math.min(totalmem(), ...limits)
  return { memoryBytes, shmBytes, cpus: availableParallelism(), oomScoreAdj: readOomScoreAdj() }
}

const passwd = (): User[] =>
  readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [name = '', , uid, gid] = line.split(':')
      return { name, uid: Number(uid), gid: Number(gid) }
    })

export const userNamed = (name: string): User | undefined => passwd().find((user) => user.name === name)
export const userNumbered = (uid: number): User | undefined => passwd().find((user) => user.uid === uid)

/** What root needs to run others as their own users, look into their folders and stop them, by the number of its bit. */
const needed = { CHOWN: 0, DAC_OVERRIDE: 1, KILL: 5, SETGID: 6, SETUID: 7 }

/** Which of them this root lacks. */
export const lackingCapabilities = (): string[] => {
  const effective = BigInt(
    `0x${/^CapEff:\s+([0-9a-f]+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`,
  )
  return Object.entries(needed)
    .filter(([, bit]) => ((effective >> BigInt(bit)) & 1n) === 0n)
    .map(([name]) => name)
}
