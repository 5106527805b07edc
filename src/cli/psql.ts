import { keepAwake } from '../http/client.ts'
import { environment } from '../system/environment.ts'
import { withClient } from '../system/postgres.ts'
import { reads } from '../system/system.ts'
import { runInTerminal } from '../system/terminal.ts'
import type { Paths } from '../units/place.ts'
import {
  embeddedAs,
  isDatabaseShut,
  superuserDatabase,
  superuserStart,
} from '../units/postgres/connection.ts'
import { readSecret } from '../units/secret-files.ts'
import { readOwnSetup } from './own.ts'
import { asMathesar, asSuperuserOf, type LibpqVariables } from '../units/postgres/libpq.ts'

/** The superuser's own database may have been dropped: who comes to put that right gets in all the same. */
const openDatabase = async (paths: Paths, password: string | undefined): Promise<string> => {
  const config = {
    ...embeddedAs({ paths }, 'postgres', superuserDatabase),
    options: superuserStart,
    password,
  }
  try {
    await withClient([config], (client) => client.query('SELECT 1'))
    return superuserDatabase
  } catch (error) {
    return isDatabaseShut(error) ? 'template1' : superuserDatabase
  }
}

const asSuperuser = async (paths: Paths): Promise<LibpqVariables> => {
  const password = readSecret({ system: reads, place: { paths } }, 'postgres_password')
  return asSuperuserOf(paths, password, await openDatabase(paths, password))
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
  await keepAwake()
  const isSuperuser = args[0] === '--superuser' && database.kind === 'embedded'
  return await runInTerminal(['psql', ...args.slice(isSuperuser ? 1 : 0)], {
    env: {
      PATH: environment.PATH,
      LANG: 'C.UTF-8',
      TERM: environment.TERM,
      HOME: '/nonexistent',
      PSQLRC: '/dev/null',
      PSQL_HISTORY: '/dev/null',
      ...(isSuperuser ? await asSuperuser(paths) : asMathesar(paths, database)),
    },
    user: isSuperuser ? identities.postgres : identities.mathesar,
  })
}
