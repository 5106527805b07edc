import { closeSync } from 'node:fs'
import { toSupervisorError } from '../errors.ts'
import { clock } from './clock.ts'
import { readConfigFiles } from './config-files.ts'
import { files } from './files.ts'
import { setOwner } from './owners.ts'
import { createGate } from './gate.ts'
import { addressesOf } from './addresses.ts'
import { httpGet, httpRead, httpSend } from './http.ts'
import type { Kernel } from './kernel.ts'
import { createLock } from './lock.ts'
import type { Log } from './log.ts'
import { readOwnNames } from './machine.ts'
import { countWaiting, measureSelf } from './measures.ts'
import { Meter } from './meter.ts'
import { readMounts } from './mounts.ts'
import type { ProgramResult, Retry, System } from './ports.ts'
import { withClient } from './postgres.ts'
import { isProcessIn, lookAt, titledChildrenOf } from './proc.ts'
import { kill, type Processes } from './process.ts'
import { watchFiles } from './watch.ts'
import { whenWritten } from './written.ts'
import { loadYaml } from './yaml.ts'

const lettersAndDigits = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'

/** Node's crypto takes 5 ms to load: not before somebody needs it. */
const randomText = (length: number, letters = lettersAndDigits): string => {
  const { randomInt } = process.getBuiltinModule('node:crypto')
  return Array.from({ length }, () => letters[randomInt(letters.length)]).join('')
}

const retry = async <T>(
  act: () => Promise<T>,
  { forMs, signal, isWorthIt = () => true, onFailure }: Retry,
): Promise<T> => {
  const { default: pRetry } = await import('p-retry')
  return await pRetry(act, {
    retries: Number.POSITIVE_INFINITY,
    minTimeout: 250,
    factor: 1.5,
    maxTimeout: 3000,
    maxRetryTime: forMs,
    ...(signal && { signal }),
    shouldRetry: ({ error }) => isWorthIt(error),
    onFailedAttempt: ({ error }) => onFailure?.(error),
  })
}

const createMemoryOf = (kernel: Kernel): System['memoryOf'] => {
  const meter = new Meter(kernel)
  return (pid) => meter.memoryOf(pid)
}

/** What a command needs to read what the container is to be. */
export const reads = { files, setOwner, readConfigFiles, loadYaml }

/** What needs no log: it can read the settings that say how to log. */
export const createBase = (kernel: Kernel) => ({
  ...reads,
  clock,
  random: Math.random,
  randomText,
  readMounts,
  ownNames: readOwnNames,
  lock: createLock(kernel),
  listenTcp: kernel.listenTcp,
  closeSocket: closeSync,
  listenUnix: kernel.listenUnix,
  listenUnixAgain: kernel.listenUnixAgain,
  isShut: kernel.isShut,
  isAwaited: kernel.isAwaited,
  createGate: () => createGate(kernel.pipe),
  signalProcess: kill,
  isProcessIn: (folder: string, pid: number) => isProcessIn(kernel, folder, pid),
  lookAt,
  childrenOf: titledChildrenOf,
  memoryOf: createMemoryOf(kernel),
  countWaiting,
  measureSelf,
  withClient,
  addressesOf,
  httpGet,
  httpSend,
  httpRead,
  retry,
  watchFiles,
  whenWritten,
})

/** The real system. */
export const createSystem = (
  base: ReturnType<typeof createBase>,
  processes: Processes,
  log: Log,
): System => ({
  ...base,
  log,
  startProcess: processes.start,
  orphansNamed: processes.orphans,
  runProgram: async (unit, command, signal): Promise<ProgramResult> => {
    const { outcome, lines } = await processes.run(command, log.lines(unit), signal)
    return { outcome, lines: lines.map(log.redact) } // They end in errors that people see.
  },
  inBackground: (what, act) => {
    const run = async (): Promise<void> => await act()
    run().catch((thrown: unknown) => {
      const { faultStack, message } = toSupervisorError(thrown)
      log.say('error', `cannot ${what}: ${faultStack ?? message}`)
    })
  },
})
