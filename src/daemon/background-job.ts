import { inWords } from '../core/outcome.ts'
import { definedOf } from '../core/record.ts'
import { type ErrorCode, errorTable } from '../errors.ts'
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

/** Why a command of ours failed that ran in a process of its own. */
export type Failure = { readonly code: ErrorCode; readonly message: string; readonly hint: string }

const codeOf = (exitCode: number | null): ErrorCode =>
  (Object.keys(errorTable) as ErrorCode[]).find((code) => errorTable[code].exitCode === exitCode) ??
  'BACKUP_FAILED'

/** What a command says that failed: its code is the exit code, and its words are the last ones. */
const failureIn = ({ outcome, lines }: ProgramResult): Failure | undefined => {
  if (outcome.code === 0) return undefined
  const code = codeOf(outcome.code)
  const at = lines.findLastIndex((line) => line.startsWith('supervisor: '))
  if (at < 0) return { code, message: inWords(outcome), hint: errorTable[code].hint }
  return { code, message: lines[at]!.slice('supervisor: '.length), hint: lines[at + 1]?.trim() ?? '' }
}

/**
 * Runs a command of ours in a process of its own: what it takes of memory is gone afterwards. Resolves with
 * why it failed, if it did; rejects where it cannot be run, or is cut off.
 */
export const runBackgroundJob = async (
  { system, place, program }: JobTools,
  { name, args, env, niceness, limitMs }: Job,
  stopping: AbortSignal,
): Promise<Failure | undefined> => {
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
    return failureIn(await system.runProgram(name, command, signal))
  } finally {
    cancel()
    stopping.removeEventListener('abort', cancel)
  }
}
