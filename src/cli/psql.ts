import type { Database } from '../settings/database.ts'
import { environment } from '../system/environment.ts'
import { reads } from '../system/system.ts'
import { runInTerminal } from '../system/terminal.ts'
import { inRun, inVolume, type Paths } from '../units/place.ts'
import { readOwnSetup } from './setup.ts'
import { appRole, internalDatabase, ownSearchPath } from '../units/postgres/connection.ts'

type Variables = Readonly<Record<string, string | undefined>>

const asSuperuser = (paths: Paths): Variables => ({
  PGHOST: inRun(paths).postgresSocket,
  PGUSER: 'postgres',
  PGDATABASE: 'postgres',
  PGOPTIONS: ownSearchPath,
  PGPASSWORD: reads.files.readIfThere(`${inVolume(paths).secrets}/postgres_password`),
})

const asMathesar = (paths: Paths, database: Database): Variables => {
  if (database.kind === 'embedded')
    return { PGHOST: inRun(paths).postgresSocket, PGUSER: appRole, PGDATABASE: internalDatabase }
  const { host, port, user, name, password, sslmode, sslrootcert } = database
  return {
    PGHOST: host,
    PGPORT: String(port),
    PGUSER: user,
    PGDATABASE: name,
    PGPASSWORD: password,
    PGSSLMODE: sslmode,
    PGSSLROOTCERT: sslrootcert,
  }
}

/**
 * psql as Mathesar's user and role. What Mathesar owns, such as a function named like one of Postgres's, must
 * never run with more rights than its own: so the superuser is asked for by name, comes as Postgres's user to
 * a database of its own, and looks into `pg_catalog` alone.
 * Neither reads or writes a file of its home folder.
 */
export const run = async (args: readonly string[]): Promise<number> => {
  const {
    place: { paths, identities },
    configuration: { database },
  } = await readOwnSetup()
  const isSuperuser = args[0] === '--superuser' && database.kind === 'embedded'
  return await runInTerminal(['psql', ...args.slice(isSuperuser ? 1 : 0)], {
    env: {
      PATH: environment.PATH,
      LANG: 'C.UTF-8',
      TERM: environment.TERM,
      HOME: '/nonexistent',
      PSQLRC: '/dev/null',
      PSQL_HISTORY: '/dev/null',
      ...(isSuperuser ? asSuperuser(paths) : asMathesar(paths, database)),
    },
    user: isSuperuser ? identities.postgres : identities.mathesar,
  })
}
