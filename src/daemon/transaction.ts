import { runSteps } from '../core/step.ts'
import { SupervisorError } from '../errors.ts'
import type { InForce } from '../settings/configuration.ts'
import type { Plan } from '../settings/plan.ts'
import { type ServiceInChange, type Side, stepsOf } from '../units/change.ts'
import type { TaskName } from '../units/results.ts'
import type { Carrying } from './carrying.ts'
import type { Roster } from './roster.ts'
import type { Service } from './service.ts'
import type { Tasks } from './tasks.ts'
import type { World, Worlds } from './worlds.ts'

type Tools = {
  readonly worlds: Worlds
  readonly tasks: Tasks
  readonly roster: Roster
  /** Aborts when everything stops. */
  readonly signal: AbortSignal
} & Carrying

type Change = {
  readonly plan: Plan
  readonly inForce: InForce
  readonly report: (step: string) => void
  /** Makes the change durable: writes the file and the history. */
  readonly commit: () => void
}

const whenReady = async (service: Service, act: () => void, signal: AbortSignal): Promise<void> => {
  // A change that a stop overtakes, or its undo, must not start again what the stop has ended.
  signal.throwIfAborted()
  act()
  // "starting" may be over before anybody looks; and a service that is ready was ready before `act`, too.
  if (service.state.name === 'stopping') await service.reached('starting', 'backoff', 'failed', 'stopped')
  const state = await service.reached('ready', 'backoff', 'failed', 'stopped')
  if (state === 'ready') return
  throw new SupervisorError(
    'CONFIG_ROLLED_BACK',
    `cannot apply the change: ${service.unit.name} is ${state} instead of ready`,
  )
}

const serviceInChange = (
  service: Service,
  { worlds, signal: stopping }: Tools,
  sides: Readonly<Record<Side, World>>,
): ServiceInChange => ({
  isRunning: () => service.pid !== null,
  isStopped: () => ['stopped', 'waiting'].includes(service.state.name),
  start: async (side) => {
    worlds.tryOut(service.unit.name, sides[side])
    await whenReady(service, () => service.start(), stopping)
  },
  stop: () => service.stop(),
  drain: () => service.drain(),
  restart: () => whenReady(service, () => service.restart(), stopping),
  signal: (signal) => service.signal(signal),
  reload: async () => {
    const { pid, unit } = service // A process that starts later reads them by itself.
    if (pid !== null) await unit.reload?.(worlds.scopeOf(unit), pid, stopping)
  },
  prepare: () => service.prepare(worlds.scopeOf(service.unit, sides.after)),
  tryOut: async (signal) => {
    const { check, discard } = await service.prepare(worlds.scopeOf(service.unit, sides.after), 'tried')
    try {
      await check(signal)
    } finally {
      await discard()
    }
  },
})

const attempt = async (tools: Tools, { plan, inForce, report, commit }: Change): Promise<void> => {
  const { worlds, tasks, roster, signal } = tools
  const sides: Record<Side, World> = { before: worlds.current, after: worlds.next(inForce) }
  const isSkipped = (name: TaskName, side: Side): boolean =>
    worlds.skipReason(roster.taskNamed(name), sides[side]) !== undefined
  const runTask = async (name: TaskName, side: Side): Promise<void> => {
    if (!isSkipped(name, side)) await tasks.run(roster.taskNamed(name), sides[side], signal)
  }
  const { steps, afterwards } = stepsOf({
    plan,
    isEmbedded: (side) => sides[side].inForce.database.kind === 'embedded',
    isSkipped,
    runTask,
    oweTask: async (name) => {
      try {
        await runTask(name, 'before')
      } catch (error) {
        tasks.owed.add(roster.taskNamed(name))
        throw error
      }
    },
    service: (name) => serviceInChange(roster.serviceNamed(name), tools, sides),
    carry: (seconds, signal) => tools.carry(sides.before.inForce, inForce, seconds, signal),
    letGo: tools.letGo,
  })
  try {
    await runSteps(steps, { signal, report, commit })
  } catch (error) {
    worlds.endTrials()
    throw error
  }
  worlds.commit(sides.after)
  await afterwards()
}

/**
 * Carries out a plan, or leaves everything as it was. Until `commit` the old settings are in force and serve;
 * after it nothing can fail: the new generation is told to serve, the old one to finish.
 */
export const carryOut = async (tools: Tools, change: Change): Promise<void> =>
  await tools.tasks.owed.pauseWhile(() => attempt(tools, change), tools.signal)
