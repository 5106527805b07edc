import { asSuperuser, internalDatabase, mayBeEntered } from '../units/postgres/connection.ts'
import { asMathesar, asSuperuserOf, libpqEnvironment, type LibpqVariables } from '../units/postgres/libpq.ts'
import { namesOf } from '../units/postgres/rows.ts'
import type { Bytes } from './archive/bytes.ts'
import { outputOf } from './programs.ts'
import type { OperationScope } from './scope.ts'

/** How the programs connect: to each database of the embedded server, or to the one external database. */
const connectTo = ({ place, inForce, results }: OperationScope, name: string): LibpqVariables =>
  inForce.database.kind === 'external'
    ? asMathesar(place.paths, inForce.database)
    : asSuperuserOf(place.paths, results.secrets.superuserPassword, name)

/** The databases that a portable archive has. An external server has others, which are not ours. */
export const listDatabases = async (scope: OperationScope): Promise<readonly string[]> => {
  if (scope.inForce.database.kind === 'external') return [scope.inForce.database.name]
  return await asSuperuser(scope, (client) =>
    namesOf(
      client,
      `SELECT datname AS name FROM pg_database WHERE ${mayBeEntered} AND NOT datistemplate
        ORDER BY datname <> $1, datname`,
      [internalDatabase],
    ),
  )
}

const run = (
  scope: OperationScope,
  what: string,
  argv: readonly [string, ...string[]],
  name: string,
): Bytes =>
  outputOf(scope, {
    what,
    command: {
      argv,
      env: libpqEnvironment(scope.place, connectTo(scope, name)),
      user: scope.inForce.database.kind === 'embedded' ? scope.place.identities.postgres : undefined,
      cwd: '/',
    },
  })

/** A database in the custom format of pg_dump, not compressed yet. Its name is in the environment alone. */
export const dumpDatabase = (scope: OperationScope, name: string): Bytes =>
  run(scope, 'dump a database', ['pg_dump', '--format=custom', '--compress=none', '--no-password'], name)

/** The roles as SQL. Their passwords are secrets, and an external server shows them to nobody. */
export const dumpRoles = (scope: OperationScope, hasSecrets: boolean): Bytes => {
  const isOwn = scope.inForce.database.kind === 'embedded'
  const options = isOwn && hasSecrets ? [] : ['--no-role-passwords']
  const argv = ['pg_dumpall', '--roles-only', '--no-password', ...options] as const
  return run(scope, 'dump the roles', [...argv], internalDatabase)
}
