import { orAborted } from '../core/abort.ts'
import type { TaskUnit, Unit, UnitName } from '../units/unit.ts'
import type { Service } from './service.ts'

export type Timing = { readonly startedMs: number; readonly endedMs: number }

type Options = {
  readonly units: readonly Unit[]
  readonly signal: AbortSignal
  readonly now: () => number
  readonly isSkipped: (unit: Unit) => boolean
  readonly runTask: (unit: TaskUnit) => Promise<void>
  readonly serviceOf: (name: UnitName) => Service
  readonly onTimed: (name: UnitName, timing: Timing) => void
}

/** Resolves once the service is ready: it starts at once, and may serve when `mayServe` resolves. */
const bootService = async (
  service: Service,
  mayServe: Promise<unknown>,
  signal: AbortSignal,
): Promise<void> => {
  service.start()
  await mayServe
  signal.throwIfAborted()
  service.open()
  await orAborted(service.reached('ready'), signal)
}

/**
 * Walks the graph: each unit starts as soon as what it needs is there, side by side with the rest. Returns a
 * promise for each unit, which rejects when the unit fails, and when one fails that it needs.
 */
export const walk = ({
  units,
  signal,
  now,
  isSkipped,
  runTask,
  serviceOf,
  onTimed,
}: Options): ReadonlyMap<UnitName, Promise<void>> => {
  const up = new Map<UnitName, Promise<void>>()
  const all = (names: readonly UnitName[]): Promise<unknown> =>
    Promise.all(names.flatMap((name) => up.get(name) ?? []))

  const bring = async (unit: Unit): Promise<void> => {
    await all(unit.needs)
    signal.throwIfAborted()
    if (isSkipped(unit)) return
    const startedMs = now()
    if (unit.kind === 'task') {
      await runTask(unit)
    } else {
      const mayServe = all(unit.servesAfter ?? [])
      mayServe.catch(() => {}) // The unit that failed reports it.
      await bootService(serviceOf(unit.name), mayServe, signal)
    }
    onTimed(unit.name, { startedMs, endedMs: now() })
  }

  for (const unit of units) up.set(unit.name, bring(unit))
  return up
}
