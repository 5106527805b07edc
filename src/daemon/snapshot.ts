import { inWords } from '../core/outcome.ts'
import type { Phase } from '../core/phase.ts'
import { isFull, type Space, spaceInWords } from '../core/space.ts'
import type { Problem, Status, UnitStatus } from '../core/status.ts'
import type { UnitState } from '../core/unit.ts'
import { type ErrorCode, errorTable, type SupervisorError } from '../errors.ts'
import type { Unit, UnitName } from '../units/unit.ts'
import type { Timing } from './boot.ts'
import type { Service } from './service.ts'
import { restartsOf } from './service-record.ts'
import type { Roster } from './roster.ts'
import type { TaskRecord, Tasks } from './tasks.ts'
import type { Detail, Worlds } from './worlds.ts'

type UnitFacts = {
  readonly unit: Unit
  readonly service: Service | undefined
  readonly task: TaskRecord | undefined
  readonly skipped: string | undefined
  /** What it is busy with, in its own words. */
  readonly detail: Detail | undefined
  readonly timing: Timing | undefined
}

type Sources = {
  readonly roster: Roster
  readonly tasks: Tasks
  readonly worlds: Worlds
  readonly timings: ReadonlyMap<UnitName, Timing>
}

/** What is known of each unit, in the order of their start. */
export const factsOf = ({ roster, tasks, worlds, timings }: Sources): readonly UnitFacts[] =>
  roster.units.map((unit) => ({
    unit,
    service: roster.serviceOf(unit),
    task: unit.kind === 'task' ? tasks.recordOf(unit.name) : undefined,
    skipped: worlds.skipReason(unit),
    detail: worlds.detailOf(unit.name),
    timing: timings.get(unit.name),
  }))

/** All that the status is made of. Times are milliseconds since 1970. */
export type Facts = {
  readonly phase: Phase
  readonly isReady: boolean
  readonly isAsleep: boolean
  readonly failure: SupervisorError | undefined
  readonly startedAtMs: number
  readonly readyAfterMs: number | null
  /** Names of units. */
  readonly criticalPath: readonly string[]
  readonly units: readonly UnitFacts[]
  /** Of the volume. */
  readonly space: Space | undefined
}

const stateOf = ({ service, task, skipped }: UnitFacts, isAsleep: boolean): UnitStatus['state'] => {
  if (skipped !== undefined && (service?.pid ?? null) === null) return 'skipped'
  const state = service?.state.name ?? task?.state ?? 'waiting'
  return isAsleep && state === 'stopped' ? 'asleep' : state
}

const detailOf = ({ service, skipped, detail }: UnitFacts): string | null =>
  skipped ??
  detail?.text ??
  (service && service.state.name !== 'ready' ? (service.record.lastProbe?.why ?? null) : null)

const readUnit = (facts: UnitFacts, { startedAtMs, isAsleep }: Facts): UnitStatus => {
  const { unit, service, task, timing } = facts
  const pid = service?.pid ?? null
  return {
    name: unit.name,
    kind: unit.kind,
    description: unit.description,
    state: stateOf(facts, isAsleep),
    since: new Date(service?.record.since ?? task?.since ?? startedAtMs).toISOString(),
    pid,
    restarts: service ? restartsOf(service.record) : 0,
    generation: service?.record.generation ?? 0,
    memoryBytes: null, // It takes time: see `http/status.ts`.
    lastExit: service?.record.lastOutcome ? inWords(service.record.lastOutcome) : null,
    detail: detailOf(facts),
    tookMs: timing ? timing.endedMs - timing.startedMs : null,
    startedAfterMs: timing ? timing.startedMs - startedAtMs : null,
  }
}

const isTroubled = (state: UnitState, phase: Phase): boolean =>
  state === 'unready' || state === 'backoff' || (state === 'stopped' && phase === 'running')

const serviceProblem = ({ name, state, detail, lastExit }: UnitStatus, code?: ErrorCode): Problem => {
  const why = detail ?? lastExit
  const byState =
    state === 'stopped' ? `Type \`supervisor start ${name}\`.` : `Type \`supervisor logs ${name}\`.`
  return {
    unit: name,
    code: code ?? null,
    message: why === null ? `is ${state}` : `is ${state}: ${why}`,
    hint: code === undefined ? byState : errorTable[code].hint,
  }
}

/** What keeps a task that still runs: it waits for something, or failed and is run again. */
const taskProblem = ({ unit, task, detail }: UnitFacts): Problem | undefined => {
  if (task?.state !== 'running') return undefined
  if (detail?.code !== undefined)
    return { unit: unit.name, code: detail.code, message: detail.text, hint: errorTable[detail.code].hint }
  const { failure } = task
  if (failure === undefined) return undefined
  const { code, message, hint } = failure
  return { unit: unit.name, code, message: `is run again: ${message}`, hint }
}

const unitProblem = (facts: UnitFacts, status: UnitStatus, phase: Phase): Problem | undefined => {
  if (facts.service === undefined) return taskProblem(facts)
  return isTroubled(status.state, phase)
    ? serviceProblem(status, facts.service.record.lastProbe?.code)
    : undefined
}

const failureOf = (
  { units, isAsleep }: Pick<Facts, 'units' | 'isAsleep'>,
  { code, message, hint }: SupervisorError,
): Problem => ({
  unit:
    units.find((unit) => stateOf(unit, isAsleep) === 'failed' || (unit.service?.state.failures ?? 0) > 0)
      ?.unit.name ?? 'supervisor',
  code,
  message,
  hint,
})

const spaceProblems = (space: Space | undefined): readonly Problem[] =>
  space === undefined || !isFull(space)
    ? []
    : [
        {
          unit: 'supervisor',
          code: 'VOLUME_FULL',
          message: `the volume is full: ${spaceInWords(space)}`,
          hint: 'Free some space on that file system: Postgres cannot go on without.',
        },
      ]

/** How much each unit of the critical path added to the boot: from the end of the one before it. */
const sharesOf = ({ criticalPath, units, startedAtMs }: Facts): Status['boot']['criticalPath'] => {
  let previousEndMs = startedAtMs
  return criticalPath.map((name) => {
    const endedMs = units.find(({ unit }) => unit.name === name)?.timing?.endedMs ?? previousEndMs
    const tookMs = endedMs - previousEndMs
    previousEndMs = endedMs
    return { unit: name, tookMs }
  })
}

/** The units' part of the status. */
export const readStatus = (facts: Facts): Pick<Status, 'phase' | 'ready' | 'boot' | 'units' | 'problems'> => {
  const units = facts.units.map((unit) => readUnit(unit, facts))
  return {
    phase: facts.phase,
    ready: facts.isReady,
    boot: { readyAfterMs: facts.readyAfterMs, criticalPath: sharesOf(facts) },
    units,
    problems: [
      ...(facts.failure ? [failureOf(facts, facts.failure)] : []),
      ...spaceProblems(facts.space),
      ...facts.units.flatMap((unit, at) => unitProblem(unit, units[at]!, facts.phase) ?? []),
    ],
  }
}
