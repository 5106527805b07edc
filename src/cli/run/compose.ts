import { Config } from '../../daemon/config/config.ts'
import type { Setup } from '../../daemon/config/boot-trial.ts'
import { Ending } from '../../daemon/ending.ts'
import { StopRequests } from '../../daemon/stop-requests.ts'
import { Sockets } from '../../http/sockets.ts'
import type { Kernel } from '../../system/kernel.ts'
import type { Log } from '../../system/log.ts'
import { createProcesses } from '../../system/process.ts'
import { startReaper } from '../../system/reaper.ts'
import type { Sink } from '../../system/sink.ts'
import { createStreams } from '../../system/streams.ts'
import { type createBase, createSystem } from '../../system/system.ts'
import { createSetup } from './first-administrator.ts'
import { createInstance, type Until } from './instance.ts'
import { createKeepers } from './keepers.ts'
import { createNotifier } from './notify.ts'
import { createParts } from './parts.ts'
import { announceReady } from './ready.ts'
import type { Core, Running } from './running.ts'

/** What there is before anything is brought up. */
type Found = {
  readonly setup: Setup
  readonly kernel: Kernel
  readonly base: ReturnType<typeof createBase>
  readonly log: Log
  readonly sink: Sink
  readonly startedAtMs: number
}

/** The daemon, put together. */
export type Daemon = ReturnType<typeof compose>

/** The composition root: what runs in a container, each part made of those above it. */
export const compose = ({ setup, kernel, base, log, sink, startedAtMs }: Found, until: Until | undefined) => {
  // What acts on the world.
  const processes = createProcesses(kernel)
  const reaper = startReaper(kernel, processes.isOwn)
  const system = { ...createSystem(base, processes, log), ...createStreams({ own: processes.own, kernel }) }

  // The units, their settings, and how all ends.
  const { place } = setup
  const instance = createInstance({ system, setup, startedAtMs }, until)
  const ending = new Ending()
  const stops = new StopRequests(system, instance)
  const config = new Config(system, setup, instance, ending)
  const core: Core = { system, place, instance, config, ending }

  // What goes on beside the units.
  const { keepers, lost, ...asked } = createKeepers(core, kernel)
  const running: Running = { ...core, ...asked, keepers, startedAtMs, reaper, sink }
  if (until === undefined) keepers.add('boot', createNotifier(running))

  // What answers on the sockets.
  const { setup: firstSetup, announce } = createSetup(core)
  const sockets = new Sockets(place, system, createParts(running, firstSetup))

  instance.subscribe(({ type }) => {
    if (type !== 'ready') return
    announceReady(running, sockets)
    keepers.start('ready')
    system.inBackground('see whether Mathesar is set up', announce)
  })
  return { ...core, stops, keepers, lost, sockets, reaper }
}
