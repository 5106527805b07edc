import { SupervisorError } from '../../errors.ts'
import { inRun, inVolume, undoConfig } from '../place.ts'
import { walKeepOf } from '../undo.ts'
import { defineTask, type Scope } from '../unit.ts'
import { appRole } from './connection.ts'
import { fitPostgres } from './sizing.ts'
import { summarizesLog } from './summaries.ts'

const parametersOf = (scope: Scope<never>): Readonly<Record<string, string>> => {
  const { system, place } = scope
  const { settings } = scope.inForce
  const given = (parameter: string, value: number | undefined, unit = ''): Record<string, string> =>
    value === undefined ? {} : { [parameter]: `${value}${unit}` }
  return {
    password_encryption: 'scram-sha-256',
    log_line_prefix: '[%p] ',
    log_timezone: 'UTC',
    timezone: 'UTC',
    max_wal_size: '1GB',
    wal_keep_size: `${walKeepOf(settings.UNDO_SPACE, system.files.freeSpace(place.paths.data)?.bytes)}MB`,
    ...(summarizesLog(scope) ? { summarize_wal: 'on' } : {}), // Older ones do not know it.
    jit: 'off', // The image leaves LLVM out.
    ...fitPostgres(place.machine),
    ...given('max_connections', settings.EMBEDDED_POSTGRES_MAX_CONNECTIONS),
    ...given('shared_buffers', settings.EMBEDDED_POSTGRES_SHARED_BUFFERS, 'MB'),
    ...given('work_mem', settings.EMBEDDED_POSTGRES_WORK_MEM, 'MB'),
    ...given('log_min_duration_statement', settings.EMBEDDED_POSTGRES_LOG_SLOW),
  }
}

/**
 * Who may connect. Where the services have users of their own, the kernel tells Postgres who calls (peer):
 * the app's user is the app's role and nothing else. A container with a single user has nobody to tell apart;
 * there the superuser needs its password, which Mathesar's own users cannot read,
 * and the socket's folder keeps everybody else out.
 */
const accessFiles = ({
  identities: { supervisor, postgres, mathesar },
}: Scope['place']): Readonly<Record<string, readonly string[]>> => {
  if (postgres === undefined || mathesar === undefined) {
    return {
      'pg_hba.conf': [
        'local all postgres scram-sha-256',
        'local replication postgres scram-sha-256',
        `local all ${appRole} trust`,
        'local all all scram-sha-256',
      ],
      'pg_ident.conf': [],
    }
  }
  const map = (name: string, users: readonly string[], role: string): string[] =>
    [...new Set(users)].map((user) => `${name} ${user} ${role}`)
  return {
    'pg_hba.conf': [
      'local all postgres peer map=superuser',
      'local replication postgres peer map=superuser',
      `local all ${appRole} peer map=app`,
      'local all all scram-sha-256',
    ],
    'pg_ident.conf': [
      ...map('superuser', [supervisor.name, postgres.name], 'postgres'),
      ...map('app', [supervisor.name, mathesar.name], appRole),
    ],
  }
}

const asLines = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('')

/**
 * A standby follows another server for ever and stores nothing. `pg_basebackup -R` leaves this file in a
 * copy; whether the copy is to go its own way is not ours to say.
 */
const refuseStandby = ({ system, place }: Scope<never>): void => {
  const file = `${inVolume(place.paths).cluster}/standby.signal`
  if (!system.files.isThere(file)) return
  throw new SupervisorError(
    'CLUSTER_UNUSABLE',
    `cannot serve from a copy that follows another server: ${file} is there`,
    {
      hint:
        'To let the copy live by itself, remove the file and start again: `docker run --rm ' +
        `--volumes-from CONTAINER --entrypoint rm IMAGE ${file}\`.`,
    },
  )
}

/**
 * The configuration of the embedded Postgres: made for each start from the settings and the machine,
 * and kept out of the volume.
 */
export const serverConfig = defineTask({
  name: 'server-config',
  needs: ['volume'],
  description: "writes the embedded Postgres's configuration",
  skip: ({ database }) => (database.kind === 'external' ? 'the database is external' : undefined),
  run: async (scope) => {
    const {
      system: { files },
      place,
    } = scope
    refuseStandby(scope)
    const { etc } = inRun(place.paths)
    const parameters = Object.entries(parametersOf(scope)).map(([name, value]) => `${name} = '${value}'`)
    const lines = [...parameters, "include 'undo.conf'"]
    if (scope.isBoot || !files.isThere(undoConfig(place.paths)))
      files.writeWhole(undoConfig(place.paths), '', 0o644)
    files.writeWhole(`${etc}/postgresql.conf`, asLines(lines), 0o644)
    for (const [name, lines] of Object.entries(accessFiles(place)))
      files.writeWhole(`${etc}/${name}`, asLines(lines), 0o644)
    return undefined
  },
})
