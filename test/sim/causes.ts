import type { ErrorCode, SupervisorError } from '../../src/errors.ts'
import type { Instance } from '../../src/daemon/instance.ts'
import { inVolume } from '../../src/units/place.ts'
import type { Container } from './container.ts'
import type { Fault } from './faults.ts'
import { inCluster, Postgres } from './postgres.ts'

const postgresFaults: readonly Fault[] = [
  'postgres killed',
  'backends outlive it',
  'backend crashes',
  'postgres does not start',
  'postgres is slow',
  'postgres is deaf',
  'disk full',
  'disk read-only',
  'sync fails',
]
const databaseFaults: readonly Fault[] = [
  'database away',
  'database unreachable',
  'database starting',
  'database refuses',
  'database full',
  'connection breaks',
]
const mathesarFaults: readonly Fault[] = [
  'mathesar killed',
  'mathesar cannot start',
  'mathesar is slow',
  'mathesar does not answer',
  'mathesar answers 500',
]

/** What may be the cause of an exit code: one of these faults, or settings that somebody wrote. */
const causes: Readonly<Record<ErrorCode, readonly Fault[] | 'never' | 'settings'>> = {
  INTERNAL: 'never',
  USAGE: 'never',
  ADMINISTRATOR_NOT_CREATED: 'never',
  DAEMON_UNREACHABLE: 'never',
  UNIT_UNKNOWN: 'never',
  CONFIG_ROLLED_BACK: 'never',
  CONFIG_CONFLICT: 'never',
  SETTING_PINNED: 'never',
  DATABASE_NOT_CONFIGURED: 'never',
  PRIVILEGES_INSUFFICIENT: 'never',
  PROMOTE_REFUSED: 'never',
  PROMOTE_FAILED: 'never',
  PROMOTE_OVERTAKEN: 'never',
  BACKUP_FAILED: 'never',
  BACKUP_DAMAGED: 'never',
  BACKUP_PLACE_FAILED: 'never',
  BACKUP_FOREIGN: 'never',
  BACKUP_LOCKED: 'never',
  BACKUP_INCOMPLETE: 'never',
  RESTORE_REFUSED: 'never',
  RESCUE_REFUSED: 'never',
  DATABASE_OTHER_KEY: 'never',
  TRIAL_FAILED: 'never',
  VOLUME_TORN: 'never',
  CLUSTER_OTHER_MAJOR: 'never',
  CLUSTER_UNUSABLE: 'never',
  RUN_FOLDER_IN_USE: 'never',
  SERVICE_CRASH_LOOP: [...postgresFaults, ...databaseFaults, ...mathesarFaults, 'setting that cannot serve'],
  SETTING_INVALID: ['read fails'],
  DATABASE_SETTINGS_PARTIAL: 'settings',
  CONFIG_INVALID: 'settings',
  CONFIG_NOT_CHECKED: ['program fails', 'program is killed', 'program cannot start'],
  VOLUME_NOT_WRITABLE: ['disk read-only', 'sync fails', 'read fails'],
  VOLUME_FULL: ['disk full'],
  VOLUME_IN_USE: ['second container'],
  CLUSTER_DAMAGED: ['read fails'],
  CLUSTER_NOT_MADE: [
    'program fails',
    'program is killed',
    'program cannot start',
    'disk read-only',
    'disk full',
    'sync fails',
    'read fails',
  ],
  SECRETS_MISSING: ['read fails'],
  PORT_IN_USE: ['port taken'],
  DATABASE_UNREACHABLE: databaseFaults,
  DATABASE_REFUSED: ['database refuses'],
  DATABASE_LOST: [...databaseFaults, ...postgresFaults],
  TLS_INVALID: 'never',
  DATABASE_AHEAD: 'never',
  MIGRATIONS_FAILED: [
    ...postgresFaults,
    ...databaseFaults,
    'migration fails',
    'program fails',
    'program is killed',
    'program cannot start',
    'role changed by the app',
  ],
  UNDO_REFUSED: 'never',
  MOVED: ['move'],
  MOVE_FAILED: 'never',
  STOP_NOT_CLEAN: [...postgresFaults, 'second stop', 'stop'],
}

/** Why an exit is not the one of a cause that was there; `undefined` when it is. */
export const whyExitIsWrong = (
  container: Container,
  error: SupervisorError | undefined,
  seen: ReadonlySet<Fault>,
  instance: Instance | undefined,
): string | undefined => {
  const { volume, isBadlyConfigured } = container.world
  const control = volume.read(inCluster(inVolume(container.paths).cluster).control)
  if (error === undefined) {
    if (instance === undefined || !instance.isStopping) return 'exit code 0 without a stop'
    if (instance.inForce.database.kind === 'external' || control === undefined) return undefined
    return Postgres.isShutDown(control) ? undefined : 'exit code 0, and Postgres was not shut down'
  }
  const cause = causes[error.code]
  const told = `exit with ${error.code} without a cause: ${error.message}`
  if (cause === 'never') return told
  if (isBadlyConfigured || (cause !== 'settings' && cause.some((fault) => seen.has(fault)))) return undefined
  return told
}
