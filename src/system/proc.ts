import { readdirSync, readFileSync, statSync } from 'node:fs'
import type { Kernel } from './kernel.ts'
import type { Child, ProcessLook } from './ports.ts'

/**
 * Pids of the children of a process, in order. Throws when the process is gone, or without
 * CONFIG_PROC_CHILDREN.
 */
export const childrenOf = (pid: number): readonly number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1')
    .split(' ')
    .map(Number)
    .filter((child) => child > 0)

/**
 * Whether a process runs in the folder: in this one, not in one of the same name in another container. Its
 * own user may look, where root may not.
 */
export const isProcessIn = (
  { asFileUser }: Pick<Kernel, 'asFileUser'>,
  folder: string,
  pid: number,
): boolean => {
  try {
    const there = asFileUser(statSync(`/proc/${pid}`), () => statSync(`/proc/${pid}/cwd`))
    const { dev, ino } = statSync(folder)
    return there.dev === dev && there.ino === ino
  } catch {
    return false // One of them is not there.
  }
}

const isChildNamed = (name: string, pid: number): boolean => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const [, found, state, parent] = /\((.*)\) (\S) (\d+)/s.exec(stat) ?? []
    return found === name && state !== 'Z' && Number(parent) === process.pid
  } catch {
    return false // It is gone.
  }
}

/**
 * Pids of the children of this process that have the name and still run. `skips` some without a look at them.
 */
export const childrenNamed = (name: string, skips: (pid: number) => boolean): readonly number[] =>
  readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && !skips(pid) && isChildNamed(name, pid))

const statusOf = (pid: number | 'self'): string => readFileSync(`/proc/${pid}/status`, 'latin1')

/** Resident memory of a process in bytes, with all pages that it shares. Throws when it is gone. */
export const residentBytes = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(statusOf(pid))?.[1] ?? 0) * 1024

/** The memory of this process that is not pages of files. */
export const anonymousBytes = (): number => Number(/^RssAnon:\s+(\d+)/m.exec(statusOf('self'))?.[1]) * 1024

const stateIn = (status: string): string => /^State:\s+(\S)/m.exec(status)?.[1] ?? '?'

const stateOf = (pid: number): string => {
  try {
    return stateIn(statusOf(pid))
  } catch {
    return 'X' // It is gone.
  }
}

/** One after the other: most who ask need but the first. */
function* statesOf(pids: readonly number[]): Generator<string> {
  for (const pid of pids) yield stateOf(pid)
}

/** A process at this moment; `undefined` when it is gone. */
export const lookAt = (pid: number): ProcessLook | undefined => {
  try {
    const status = statusOf(pid)
    const sleeps = Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1])
    return { state: stateIn(status), sleeps, children: statesOf(childrenOf(pid)) }
  } catch {
    return undefined
  }
}

const titleOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1')
  } catch {
    return '' // It is gone.
  }
}

/** The children of a process with their titles; `undefined` when it is gone. */
export const titledChildrenOf = (pid: number): readonly Child[] | undefined => {
  try {
    return childrenOf(pid).map((child) => ({ pid: child, title: titleOf(child) }))
  } catch {
    return undefined
  }
}
