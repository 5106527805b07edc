import type { Problem, Status, UnitStatus } from '../core/status.ts'
import type { UnitState } from '../core/unit.ts'

export type Step = {
  readonly name: string
  readonly description: string
  readonly state: UnitState
  /** How long it took, or has taken so far. */
  readonly tookMs: number | undefined
}

/** What keeps Mathesar from serving: a failure of the table with its general hint, or a step's state. */
export type Trouble = {
  readonly step: string
  readonly state: UnitState | undefined
  readonly code: string | undefined
  /** Of the container, where it ends with it. */
  readonly exitCode: number | undefined
  readonly hint: string | undefined
  /** In its own words: for those who may see names and addresses. */
  readonly own: { readonly message: string; readonly hint: string | undefined } | undefined
}

/**
 * What the page shows. What everybody sees who opens the port holds no name, no address and no message of a
 * service: those are for whoever Mathesar belongs to, or for all while nothing was set up here.
 */
export type View = {
  /**
   * `hindered` is a boot that tries again and again; `failed` one that has ended, and `kept` one that has
   * ended in a container that stays for this page.
   */
  readonly situation:
    | 'booting'
    | 'hindered'
    | 'away'
    | 'failed'
    | 'kept'
    | 'moved'
    | 'restoring'
    | 'stopping'
    | 'serving'
  readonly steps: readonly Step[]
  readonly troubles: readonly Trouble[]
  /** Settings may cure it, so there is a page for that. */
  readonly isFixable: boolean
  /** The last lines of the log; `undefined` for strangers. */
  readonly tail: string | undefined
}

type Row = { readonly exitCode: number; readonly hint: string; readonly maybeBySettings?: true }

export type ViewFacts = {
  readonly status: Pick<Status, 'phase' | 'units' | 'problems' | 'boot'>
  readonly isServing: boolean
  /** Everything is down, and the container stays for the page. */
  readonly isKept: boolean
  /** The same, and a backup is being restored. */
  readonly isRestoring: boolean
  /** What the table says of a failure's code. */
  readonly rowOf: (code: string) => Row | undefined
  /** Reads the last lines of the log, if whoever looks may see names and addresses. */
  readonly readTail: (() => string) | undefined
  readonly nowMs: number
}

const stepOf = ({ name, description, state, since, tookMs }: UnitStatus, nowMs: number): Step => {
  const isUnderWay = state === 'running' || state === 'starting'
  return {
    name,
    description,
    state,
    tookMs: tookMs ?? (isUnderWay ? Math.max(0, nowMs - Date.parse(since)) : undefined),
  }
}

const situationOf = (
  { status: { phase, boot }, isServing, isKept, isRestoring }: ViewFacts,
  troubles: readonly Trouble[],
): View['situation'] => {
  if (isRestoring) return 'restoring'
  if (isKept) return troubles.some(({ code }) => code === 'MOVED') ? 'moved' : 'kept'
  if (phase === 'stopping' || phase === 'ended')
    return troubles.some(({ code }) => code !== undefined) ? 'failed' : 'stopping'
  if (isServing) return 'serving'
  if (boot.readyAfterMs !== null) return 'away'
  return troubles.length === 0 ? 'booting' : 'hindered'
}

const troubledStates: readonly UnitState[] = ['unready', 'backoff', 'stopped', 'failed']

const troubleOf = ({ unit, code, message, hint }: Problem, facts: ViewFacts): Trouble | undefined => {
  const { status, rowOf, readTail } = facts
  const state = status.units.find(({ name }) => name === unit)?.state
  // The status also tells of what keeps nobody out, such as a refused name.
  if (code === null && (state === undefined || !troubledStates.includes(state))) return undefined
  const row = code === null ? undefined : rowOf(code)
  const isOver = status.phase === 'stopping' || status.phase === 'ended'
  return {
    step: unit,
    state,
    code: code ?? undefined,
    exitCode: isOver ? row?.exitCode : undefined,
    hint: row?.hint,
    own: readTail === undefined ? undefined : { message, hint: hint ?? undefined },
  }
}

const isSame = (one: Trouble, other: Trouble): boolean => one.step === other.step && one.code === other.code

/** What the page shows to one who may see what `facts` hold. */
export const viewOf = (facts: ViewFacts): View => {
  const { status, readTail, nowMs } = facts
  const all = status.problems.flatMap((problem) => troubleOf(problem, facts) ?? [])
  const troubles = all.filter((trouble, at) => all.findIndex((other) => isSame(trouble, other)) === at)
  const situation = situationOf(facts, troubles)
  return {
    situation,
    steps: status.units.filter(({ state }) => state !== 'skipped').map((unit) => stepOf(unit, nowMs)),
    troubles,
    isFixable:
      !['failed', 'restoring'].includes(situation) && // Nobody answers in a moment.
      troubles.some(({ code }) => code !== undefined && facts.rowOf(code)?.maybeBySettings === true),
    tail: troubles.length === 0 ? undefined : readTail?.(),
  }
}
