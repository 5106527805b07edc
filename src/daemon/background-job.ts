import { definedOf } from '../core/record.ts'
import type { ProgramResult, System } from '../system/ports.ts'
import type { Place } from '../units/place.ts'

/** The kernel kills it before a service when memory runs out. */
const oomScoreAdj = 800

export type JobTools = {
  readonly system: System
  readonly place: Place
  /** What starts this program once more. */
  readonly program: readonly [string, ...string[]]
}

type Job = {
  /** Whose lines they are in the log. */
  readonly name: string
  readonly args: readonly string[]
  /** Beside the environment of the container. */
  readonly env?: Readonly<Record<string, string>>
  /** How much it stands back: 19 takes what nobody else wants of the processors. */
  readonly niceness: number
  /** One that takes longer hangs, and is killed. */
  readonly limitMs: number
}

/** Runs a command of ours in a process of its own: what it takes of memory is gone afterwards. */
export const runBackgroundJob = async (
  { system, place, program }: JobTools,
  { name, args, env, niceness, limitMs }: Job,
  stopping: AbortSignal,
): Promise<ProgramResult> => {
  const command = {
    argv: ['nice', '-n', String(niceness), ...program, ...args],
    env: { ...definedOf(place.environment), ...env },
    cwd: '/',
    oomScoreAdj,
  } as const
  const limit = new AbortController()
  const cancel = system.clock.after(limitMs, () => limit.abort(new Error('it took too long and was ended')))
  stopping.addEventListener('abort', cancel)
  try {
    const signal = AbortSignal.any([stopping, limit.signal])
    return await system.runProgram(name, command, signal)
  } finally {
    cancel()
    stopping.removeEventListener('abort', cancel)
  }
}
