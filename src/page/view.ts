import type { Status, UnitStatus } from '../core/status.ts'
import type { UnitState } from '../core/unit.ts'

export type Step = {
  readonly name: string
  readonly description: string
  readonly state: UnitState
  /** How long it took, or has taken so far. */
  readonly tookMs: number | undefined
}

/** What everybody may see who opens the port. It holds no name, no address and no message of a service. */
export type View = {
  readonly situation: 'booting' | 'away' | 'failed' | 'stopping' | 'serving'
  readonly steps: readonly Step[]
  /** What is wrong, by its code and what to do in general. */
  readonly problem: { readonly code: string; readonly hint: string } | undefined
}

type Facts = {
  readonly status: Pick<Status, 'phase' | 'units' | 'problems' | 'boot'>
  readonly isServing: boolean
  /** The general hint of an error's code. */
  readonly hintOf: (code: string) => string | undefined
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

const situationOf = ({ status: { phase, boot, problems }, isServing }: Facts): View['situation'] => {
  if (phase === 'stopping' || phase === 'ended')
    return problems.some(({ code }) => code !== null) ? 'failed' : 'stopping'
  if (isServing) return 'serving'
  return boot.readyAfterMs === null ? 'booting' : 'away'
}

/** What of the status a stranger may see. */
export const viewOf = (facts: Facts): View => {
  const { status, hintOf, nowMs } = facts
  const code = status.problems.find((problem) => problem.code !== null)?.code ?? null
  const hint = code === null ? undefined : hintOf(code)
  return {
    situation: situationOf(facts),
    steps: status.units.filter(({ state }) => state !== 'skipped').map((unit) => stepOf(unit, nowMs)),
    problem: code === null || hint === undefined ? undefined : { code, hint },
  }
}
