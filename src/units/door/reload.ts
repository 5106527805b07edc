import { excerpt } from '../../core/message.ts'
import { SupervisorError } from '../../errors.ts'
import type { Child } from '../../system/ports.ts'
import { inDoor } from '../place.ts'
import type { Scope } from '../unit.ts'

/** How long nginx may take to read its configuration and to have other workers serve. */
const limitMs = 10_000
const pollMs = 10
/**
 * For how long each answer ends its connection, before idle ones are closed. A request that is under way for
 * longer keeps its own, until it is answered.
 */
const endingMs = 300

/** A worker in its last state has closed its sockets (`ngx_worker_process_cycle`). */
const isLeaving = ({ title }: Child): boolean => title.includes('shutting down')

/**
 * Why nginx did not take its configuration, in its own words. Its lines have their level in front:
 * `core/door-lines.ts`.
 */
const whyRefused = ({ system: { log } }: Scope<never>): string => {
  const [line = 'it says nothing'] = log
    .tail('door', 20)
    .filter((text) => /\berror\b/.test(text))
    .slice(-1)
  return excerpt(line.trim(), 400)
}

/** What the mark holds when the container is about to stop: then no reload takes it away. */
const stopping = 'stop'

/** From here on each answer ends its connection, until the container has stopped. */
export const markStop = ({ system: { files }, place }: Scope<never>): void =>
  void files.writeWhole(inDoor(place.paths).draining, stopping, 0o644)

/**
 * A worker that leaves closes the connections that wait for another request, and one that is just coming on
 * them is lost. So those that are in use end by themselves before. At a stop the mark stays.
 */
const endConnections = async ({ system, place }: Scope<never>, signal: AbortSignal): Promise<void> => {
  const { files, clock } = system
  const { draining } = inDoor(place.paths)
  const isOfStop = (): boolean => files.readIfThere(draining) === stopping
  if (isOfStop()) return
  files.writeWhole(draining, '', 0o644)
  await clock.delay(endingMs, signal)
  if (!isOfStop()) files.remove(draining) // Before there are workers that would keep it in their cache.
}

/**
 * Has nginx read its configuration again, and resolves once no worker with the one before takes connections:
 * what is said to be in force then is. nginx itself says nothing of this but by its processes. Where it does
 * not take the configuration, it goes on with the one before.
 */
export const reloadDoor = async (scope: Scope<never>, pid: number, signal: AbortSignal): Promise<void> => {
  const { system } = scope
  await endConnections(scope, signal)
  const before = new Set(system.childrenOf(pid)?.map((child) => child.pid))
  system.signalProcess(pid, 'SIGHUP')
  for (const endMs = system.clock.elapsed() + limitMs; system.clock.elapsed() < endMs;) {
    await system.clock.delay(pollMs, signal)
    const children = system.childrenOf(pid)
    if (children === undefined) return // It ended: the next one reads the new configuration.
    const fresh = children.filter((child) => !before.has(child.pid))
    if (fresh.length > 0 && children.every((child) => fresh.includes(child) || isLeaving(child))) return
  }
  throw new SupervisorError(
    'CONFIG_ROLLED_BACK',
    `cannot apply the change: the web server does not take it: ${whyRefused(scope)}`,
    { hint: 'The settings before it are in force again. `supervisor logs door` shows what it says.' },
  )
}
