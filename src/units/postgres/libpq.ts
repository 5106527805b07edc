import { definedOf } from '../../core/record.ts'
import { type Database, hostsOf } from '../../settings/database.ts'
import { inRun, type Paths, type Place } from '../place.ts'
import { appRole, internalDatabase, superuserDatabase, superuserStart } from './connection.ts'
import { postgresEnvironment } from './programs.ts'

/** What Postgres's own programs read from their environment: how to connect. */
export type LibpqVariables = Readonly<Record<string, string | undefined>>

/** The environment of a program of Postgres that connects. */
export const libpqEnvironment = (
  place: Pick<Place, 'paths' | 'environment'>,
  variables: LibpqVariables,
): Readonly<Record<string, string>> => definedOf({ ...postgresEnvironment(place), ...variables })

/** Of several hosts the one that takes writes is meant: libpq would be content with any that answers. */
export const whichHost = (database: Database): LibpqVariables => {
  const hasChoice = database.kind === 'external' && hostsOf(database).length > 1
  return hasChoice ? { PGTARGETSESSIONATTRS: 'read-write' } : {}
}

/** To Mathesar's internal database, as its role. */
export const asMathesar = (paths: Pick<Paths, 'run'>, database: Database): LibpqVariables => {
  if (database.kind === 'embedded')
    return { PGHOST: inRun(paths).postgresSocket, PGUSER: appRole, PGDATABASE: internalDatabase }
  const { host, port, user, name, password, sslmode, sslrootcert, channelBinding } = database
  return {
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: user,
    PGDATABASE: name,
    PGPASSWORD: password,
    PGSSLMODE: sslmode,
    PGSSLROOTCERT: sslrootcert,
    PGCHANNELBINDING: channelBinding,
    ...whichHost(database),
  }
}

/** To the embedded server as its superuser; where users have an id of their own, as Postgres's. */
export const asSuperuserOf = (
  paths: Pick<Paths, 'run'>,
  password: string | undefined,
  database = superuserDatabase,
): LibpqVariables => ({
  PGHOST: inRun(paths).postgresSocket,
  PGUSER: 'postgres',
  PGDATABASE: database,
  PGOPTIONS: superuserStart,
  PGPASSWORD: password,
})
