import { startOver } from '../../daemon/ending.ts'
import { restForMove } from '../../daemon/moving.ts'
import { startProgress } from '../../daemon/progress.ts'
import { Login } from '../../http/door/login.ts'
import type { Parts } from '../../http/parts.ts'
import { readPasswordOf } from '../../units/mathesar/administrator.ts'
import { BackupCommands } from './backup-commands.ts'
import { createEntrance } from './entrance.ts'
import { readMeasures } from './measures.ts'
import { readStatus } from './report.ts'
import type { Running } from './running.ts'
import { VolumeRestores } from './volume-restores.ts'

/** What HTTP acts on. */
export const createParts = (running: Running, setup: Parts['setup']): Omit<Parts, 'visitors' | 'console'> => {
  const { system, place, instance, config, ending, backups, past } = running
  const progress = startProgress(instance, system)
  const onStartOver = (): void => startOver(running)
  return {
    clock: system.clock,
    log: system.log,
    instance,
    config,
    report: {
      status: () => readStatus(running),
      memoryOf: system.memoryOf,
      measures: () => readMeasures(running),
      signsOf: (unit) => progress.signsOf(unit),
      backupProblems: () => backups.problems(),
    },
    container: {
      isKept: () => ending.isKept,
      isRestoring: () => ending.isRestoring,
      startOver: onStartOver,
      rest: (act) =>
        restForMove({ system, place, instance, changes: config.changes, startOver: onStartOver }, act),
    },
    setup,
    administrators: new Login(
      (username) => readPasswordOf({ system, place, inForce: instance.inForce }, username),
      system.clock.now,
    ),
    entrance: createEntrance(system, instance),
    archives: new BackupCommands(system, () => instance.inForce.database.kind === 'external'),
    restoring: new VolumeRestores({ system, place, startOver: onStartOver }),
    past,
  }
}
