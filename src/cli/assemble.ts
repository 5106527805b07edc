import type { Status } from '../core/status.ts'
import { createCarrying } from '../daemon/carrying.ts'
import { isUnproven, type Setup } from '../daemon/config/boot-trial.ts'
import { Config } from '../daemon/config/config.ts'
import { Ending } from '../daemon/ending.ts'
import { restForMove } from '../daemon/moving.ts'
import { Instance } from '../daemon/instance.ts'
import { startProgress } from '../daemon/progress.ts'
import type { ErrorCode } from '../errors.ts'
import { Sockets } from '../http/sockets.ts'
import type { InForce } from '../settings/configuration.ts'
import type { Kernel } from '../system/kernel.ts'
import type { Log } from '../system/log.ts'
import type { Streams, System } from '../system/ports.ts'
import { createProcesses } from '../system/process.ts'
import { startReaper } from '../system/reaper.ts'
import type { Sink } from '../system/sink.ts'
import { createStreams } from '../system/streams.ts'
import { type createBase, createSystem } from '../system/system.ts'
import { units, unitsUpTo } from '../units/index.ts'
import type { Place } from '../units/place.ts'
import type { Results } from '../units/results.ts'
import type { UnitName } from '../units/unit.ts'
import { BackupCommands } from './backup-commands.ts'
import { ownProgram } from './boot-again.ts'
import { createEntrance } from './entrance.ts'
import { createSetup } from './first-administrator.ts'
import { createKeepers } from './keepers.ts'
import { readMeasures } from './measures.ts'
import { createNotifier } from './notify.ts'
import { announceReady } from './ready.ts'
import { readStatus, type Running } from './report.ts'
import { VolumeRestores } from './volume-restores.ts'

/** What an operation on a volume is given that no supervisor runs on. */
export type Brought = {
  readonly system: System & Streams
  readonly place: Place
  readonly inForce: InForce
  /** What the tasks up to that unit have left. */
  readonly results: Partial<Results>
}

/** The last unit to bring up, and what is done then, before all is stopped again. */
export type Until = {
  readonly unit: UnitName
  readonly act: (brought: Brought) => Promise<void>
  /** What it is when all is stopped before that is done. */
  readonly whenCutOff: ErrorCode
}

type Found = {
  readonly setup: Setup
  readonly kernel: Kernel
  readonly base: ReturnType<typeof createBase>
  readonly log: Log
  readonly sink: Sink
  readonly startedAtMs: number
}

const createFrom = (
  { setup, startedAtMs }: Pick<Found, 'setup' | 'startedAtMs'>,
  system: System & Streams,
  until: Until | undefined,
): Instance => {
  const { place, configuration: inForce } = setup
  const instance: Instance = new Instance({
    system,
    place,
    units: until === undefined ? units : unitsUpTo(until.unit),
    inForce,
    startedAtMs,
    carrying: createCarrying({ system, place, program: ownProgram() }),
    ...(until === undefined
      ? {}
      : { whenUp: () => until.act({ system, place, inForce, results: instance.results }) }),
    isUnproven: () => isUnproven(setup),
  })
  return instance
}

/** Joins the instance with the system and with HTTP. */
export const assemble = (
  { setup, kernel, base, log, sink, startedAtMs }: Found,
  until: Until | undefined,
) => {
  const processes = createProcesses(kernel)
  const reaper = startReaper(kernel, processes.isOwn)
  const system = { ...createSystem(base, processes, log), ...createStreams({ own: processes.own, kernel }) }
  const { place } = setup
  const instance = createFrom({ setup, startedAtMs }, system, until)
  const ending = new Ending()
  const config = new Config(system, setup, instance, ending)
  const { lost, past, ...kept } = createKeepers({ system, kernel, place, instance, config })
  const { keepers, backups } = kept
  const running: Running = { instance, config, ...kept, startedAtMs, reaper, sink }
  const status = (): Status => readStatus(running)
  if (until === undefined) keepers.add('boot', createNotifier(running, system))
  const startOver = (): void => {
    ending.startOver()
    system.inBackground('stop', () => instance.stop())
  }
  const { setup: firstSetup, announce } = createSetup(system, place, instance)
  const progress = startProgress(instance, system)
  const sockets = new Sockets(place, system, {
    clock: system.clock,
    log,
    instance,
    config,
    report: {
      status,
      memoryOf: system.memoryOf,
      measures: () => readMeasures(running, system, place),
      signsOf: (unit) => progress.signsOf(unit),
      backupProblems: () => backups.problems(),
    },
    container: {
      isKept: () => ending.isKept,
      isRestoring: () => ending.isRestoring,
      startOver,
      rest: (act) => restForMove({ system, place, instance, startOver }, act),
    },
    setup: firstSetup,
    entrance: createEntrance(system, instance),
    archives: new BackupCommands(system, () => instance.inForce.database.kind === 'external'),
    restoring: new VolumeRestores({ system, paths: place.paths, startOver }),
    past,
  })
  instance.subscribe((event) => {
    if (event.type !== 'ready') return
    announceReady(system, instance, sockets, status())
    keepers.start('ready')
    system.inBackground('see whether Mathesar is set up', announce)
  })
  return { system, instance, config, keepers, ending, sockets, reaper, lost }
}
