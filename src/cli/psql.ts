import { files } from '../system/files.ts'
import { appRole, inRun, internalDatabase, inVolume, ownSearchPath } from '../units/place.ts'
import { runInTerminal } from './exec.ts'
import { readSetup, type Setup } from '../daemon/config/boot-trial.ts'

const embedded = ({ paths }: Setup, isSuperuser: boolean): Record<string, string | undefined> =>
  isSuperuser
    ? {
        PGUSER: 'postgres',
        PGDATABASE: 'postgres',
        PGOPTIONS: ownSearchPath,
        PGPASSWORD: files.readIfThere(`${inVolume(paths).secrets}/postgres_password`),
      }
    : { PGUSER: appRole, PGDATABASE: internalDatabase }

/**
 * psql as Mathesar's user and role. What Mathesar owns, such as a function named like one of Postgres's, must never run with more
 * rights than its own: so the superuser is asked for by name, comes as Postgres's user to a database of its own, and looks into
 * `pg_catalog` alone. Neither reads or writes a file of its home folder.
 */
export const run = async (args: readonly string[]): Promise<number> => {
  const setup = await readSetup(process.env)
  const { paths, database, identities } = setup
  const isSuperuser = args[0] === '--superuser' && database.kind === 'embedded'
  const connection =
    database.kind === 'embedded'
      ? { PGHOST: inRun(paths).postgresSocket, ...embedded(setup, isSuperuser) }
      : {
          PGHOST: database.host,
          PGPORT: String(database.port),
          PGUSER: database.user,
          PGDATABASE: database.name,
          PGPASSWORD: database.password,
          PGSSLMODE: database.sslmode,
          PGSSLROOTCERT: database.sslrootcert,
        }
  return await runInTerminal(['psql', ...args.slice(isSuperuser ? 1 : 0)], {
    env: {
      PATH: process.env.PATH,
      LANG: 'C.UTF-8',
      TERM: process.env.TERM,
      HOME: '/nonexistent',
      PSQLRC: '/dev/null',
      PSQL_HISTORY: '/dev/null',
      ...connection,
    },
    user: isSuperuser ? identities.postgres : identities.mathesar,
  })
}
