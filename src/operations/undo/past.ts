import { inVolume } from '../../units/place.ts'
import { asSuperuser } from '../../units/postgres/connection.ts'
import type { OperationScope } from '../scope.ts'
import { asUser } from '../server.ts'
import { makeEmptyFiles } from '../stage.ts'
import { proveOpens, recoverInto, requireWindow, type Target } from './recover.ts'

/** What decides who a role is. What it may do with the objects in a database stays as it was. */
const attributes = [
  'rolsuper',
  'rolinherit',
  'rolcreaterole',
  'rolcreatedb',
  'rolcanlogin',
  'rolreplication',
  'rolbypassrls',
  'rolconnlimit',
  'rolpassword',
  'rolvaliduntil',
]

const readRoles = (scope: OperationScope): Promise<string> =>
  asSuperuser(scope, async (client) => {
    const { rows } = await client.query<{ roles: string }>(
      'SELECT pg_catalog.jsonb_agg(pg_catalog.to_jsonb(role))::text AS roles FROM pg_authid AS role',
    )
    return rows[0]!.roles
  })

/**
 * Who may log in, with which password, is as today: Mathesar keeps the passwords of today, and who was shut
 * out since is not let in again. Nobody needs the files of the server.
 */
const settleRoles = (scope: OperationScope, folder: string, today: string): Promise<unknown> =>
  asUser(scope, folder, ['postgres', 'template1'], async (client) => {
    await client.query(
      `UPDATE pg_authid AS past SET (${attributes.join(', ')}) = (SELECT ${attributes.join(', ')}
          FROM pg_catalog.jsonb_populate_recordset(NULL::pg_authid, $1) AS now
          WHERE now.rolname = past.rolname)
        WHERE rolname IN (SELECT rolname FROM pg_catalog.jsonb_populate_recordset(NULL::pg_authid, $1))`,
      [today],
    )
    await client.query(
      `UPDATE pg_authid AS past SET rolcanlogin = false, rolsuper = false WHERE NOT EXISTS (
        SELECT FROM pg_catalog.jsonb_populate_recordset(NULL::pg_authid, $1) AS now
          WHERE now.rolname = past.rolname)`,
      [today],
    )
    await client.query(
      `DELETE FROM pg_auth_members WHERE roleid IN ('pg_execute_server_program'::regrole,
        'pg_read_server_files'::regrole, 'pg_write_server_files'::regrole)`,
    )
  })

/**
 * Makes the cluster of a moment, ready to be served: it follows a log that does not go on (`standby.signal`),
 * so nobody can write there, whatever rights they have. Returns when the last change in it was.
 */
export const recoverPast = async (scope: OperationScope, target: Target): Promise<string | null> => {
  const { files } = scope.system
  const { past: folder } = inVolume(scope.place.paths)
  const base = await requireWindow(scope, target)
  const today = await readRoles(scope)
  files.remove(folder)
  try {
    const lastChange = await recoverInto(
      scope,
      folder,
      { base, target, what: 'serve that moment' },
      async () => {
        await settleRoles(scope, folder, today)
        return await proveOpens(scope, folder)
      },
    )
    await makeEmptyFiles(scope, folder, 'postgresql.auto.conf', 'standby.signal')
    return lastChange
  } catch (error) {
    files.remove(folder)
    throw error
  }
}
