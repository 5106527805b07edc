import { oomScores } from '../../core/oom.ts'
import type { Command } from '../../core/unit.ts'
import type { System } from '../../system/ports.ts'
import { inRun, inVolume, type Place } from '../place.ts'
import { appRole, embeddedAs, internalDatabase } from './connection.ts'
import { asArguments, asPostgres } from './programs.ts'

/**
 * The server of a moment that is gone: small, and where Mathesar reaches it. Who may connect is as for the
 * server of today. It is a standby with no log to come, which takes no writes from anybody.
 */
export const pastServer = (place: Place): Command => {
  const { paths, machine } = place
  const { etc, pastSocket } = inRun(paths)
  const folder = inVolume(paths).past
  const parameters = asArguments({
    config_file: `${folder}/postgresql.conf`, // An empty one.
    hba_file: `${etc}/pg_hba.conf`,
    ident_file: `${etc}/pg_ident.conf`,
    unix_socket_directories: pastSocket,
    listen_addresses: '',
    port: '5432',
    timezone: 'UTC',
    log_timezone: 'UTC',
    log_line_prefix: '[%p] ',
    shared_buffers: '16MB',
    max_connections: '30',
    max_parallel_workers_per_gather: '0',
    temp_file_limit: '256MB',
    shared_preload_libraries: '',
    archive_mode: 'off',
    jit: 'off',
    hot_standby: 'on',
    recovery_target_timeline: 'current',
    restore_command: 'false', // No log comes.
    wal_retrieve_retry_interval: '1h',
    fsync: 'off', // It is thrown away.
  })
  return {
    ...asPostgres(place, [`${paths.postgresBin}/postgres`, '-D', `${folder}/postgres`, ...parameters]),
    oomScoreAdj: oomScores(machine.oomScoreAdj).worker,
  }
}

/** Resolves where it answers Mathesar. */
export const askPast = ({ system, place }: { readonly system: System; readonly place: Place }) => {
  const way = { ...embeddedAs(place, appRole, internalDatabase), host: inRun(place.paths).pastSocket }
  return system.withClient([way], (client) => client.query('SELECT 1'))
}
