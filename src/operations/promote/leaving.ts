import { firstFew } from '../../core/message.ts'
import { SupervisorError } from '../../errors.ts'
import { sentenceOf } from '../../units/postgres/failures.ts'
import { libpqEnvironment } from '../../units/postgres/libpq.ts'
import { quoteName } from '../../units/postgres/quoting.ts'
import { namesOf } from '../../units/postgres/rows.ts'
import { textOf } from '../archive/bytes.ts'
import { outputOf } from '../programs.ts'
import type { OperationScope } from '../scope.ts'
import { inSource, type MoveScope } from './source.ts'
import { whyPooled } from './target.ts'

/**
 * Whether an external server can be left: Mathesar's role there has to see all, and to keep others from
 * writing.
 */

const refuse = (why: string, hint: string): never => {
  throw new SupervisorError('PROMOTE_REFUSED', `cannot leave the server that Mathesar works on: ${why}`, {
    hint: `${hint} Nothing was changed.`,
  })
}

const refusePooler = (why: string): never =>
  refuse(
    why,
    'Have Mathesar connect directly first: `supervisor config set DATABASE_URL=…`, with the address ' +
      'that the host shows beside that of the pooler.',
  )

/** What sessions start with: a pooler refuses it, or passes over it. */
const readStart = (scope: MoveScope): Promise<string | undefined> =>
  inSource(scope, scope.source.internal, (client) =>
    client.query<{ search_path: string }>('SHOW search_path'),
  ).then(
    ({ rows }) => rows[0]?.search_path,
    (error: unknown) => {
      if (/unsupported startup parameter/.test(sentenceOf(error))) return undefined
      throw error
    },
  )

/** Throws where sessions at the server are not our own from their start to their end. */
export const requireDirect = async (scope: MoveScope): Promise<void> => {
  const { database } = scope.source
  if (database.kind === 'embedded') return
  const why = await whyPooled(scope, database)
  if (why !== undefined) refusePooler(why)
  if ((await readStart(scope)) !== 'pg_catalog')
    refusePooler('a pooler is in front of it, which gives sessions no settings of their own')
}

/** The major version of pg_dump, which reads no server that is newer. */
const readDumpMajor = async (scope: OperationScope): Promise<number> => {
  const output = outputOf(scope, {
    what: 'ask pg_dump for its version',
    command: {
      argv: ['pg_dump', '--version'],
      env: libpqEnvironment(scope.place, {}),
      user: scope.place.identities.mathesar,
      cwd: '/',
    },
    code: 'PROMOTE_FAILED',
  })
  return Number(/ (\d+)[.\w]*/.exec(await textOf(output))?.[1] ?? 0)
}

const requireVersion = async (scope: MoveScope): Promise<void> => {
  const { rows } = await inSource(scope, scope.source.internal, (client) =>
    client.query<{ major: number }>("SELECT current_setting('server_version_num')::int / 10000 AS major"),
  )
  const [major, dumps] = [rows[0]?.major ?? 0, await readDumpMajor(scope)]
  if (major > dumps)
    refuse(`it is Postgres ${major}, and pg_dump of this image is ${dumps}`, 'Take an image of a later one.')
}

/** What Mathesar's role may not do that it takes, and who owns that. */
const missingQuery = `
  SELECT 'own the database ' || quote_ident(datname) AS what, pg_get_userbyid(datdba) AS owner,
      false AS "isHidden"
    FROM pg_database WHERE datname = current_database() AND NOT pg_has_role(datdba, 'USAGE')
  UNION ALL SELECT format('read and lock %I.%I', nspname, relname), pg_get_userbyid(relowner),
      pg_has_role(relowner, 'USAGE')
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'S') AND relpersistence <> 't' AND nspname <> 'information_schema'
      AND nspname !~ '^pg_' AND NOT EXISTS (SELECT FROM pg_depend
        WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')
      AND NOT (has_schema_privilege(n.oid, 'USAGE') AND CASE
        WHEN relkind = 'S' THEN has_sequence_privilege(c.oid, 'SELECT')
        ELSE has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'UPDATE, DELETE, TRUNCATE')
          AND NOT row_security_active(c.oid) END)
  UNION ALL SELECT 'read large objects', pg_get_userbyid(lomowner), false
    FROM pg_largeobject_metadata WHERE NOT pg_has_role(lomowner, 'USAGE')`

type Missing = {
  readonly what: string
  readonly owner: string
  /** By policies that its owner is under, too. */
  readonly isHidden: boolean
}

const requireRights = async (scope: MoveScope, name: string): Promise<void> => {
  const { rows } = await inSource(scope, name, (client) => client.query<Missing>(missingQuery))
  if (rows.length === 0) return
  const role = quoteName(scope.source.role)
  const grants = [
    ...new Set(
      rows.map(({ owner, isHidden }) =>
        isHidden ? `ALTER ROLE ${role} BYPASSRLS` : `GRANT ${quoteName(owner)} TO ${role}`,
      ),
    ),
  ]
  refuse(
    `its user may not do in ${name} what it takes: ${firstFew(rows, ({ what }) => what).join(', ')}`,
    `As its administrator type \`${firstFew(grants, String).join('; ')}\`.`,
  )
}

/** Settings of roles win over that of a database which is closed (`close.ts`). */
const writingQuery = `
  SELECT rolname AS role, format('ALTER ROLE %I %sRESET default_transaction_read_only', rolname,
      CASE WHEN datname IS NULL THEN '' ELSE format('IN DATABASE %I ', datname) END) AS command
    FROM pg_db_role_setting JOIN pg_roles r ON r.oid = setrole
      LEFT JOIN pg_database d ON d.oid = setdatabase, unnest(setconfig) AS setting
    WHERE (setdatabase = 0 OR datname = ANY($1))
      AND CASE split_part(setting, '=', 1) WHEN 'default_transaction_read_only'
        THEN NOT split_part(setting, '=', 2)::boolean END
    ORDER BY 1, 2`

/** Throws where somebody could go on writing to what is left. */
export const requireClosable = async (scope: MoveScope, databases: readonly string[]): Promise<void> => {
  const { rows } = await inSource(scope, scope.source.internal, (client) =>
    client.query<{ role: string; command: string }>(writingQuery, [databases]),
  )
  if (rows.length === 0) return
  const roles = [...new Set(rows.map(({ role }) => role))]
  refuse(
    `a setting of their own lets these roles write where a database takes no writes: ` +
      firstFew(roles, String).join(', '),
    `As its administrator type \`${firstFew(rows, ({ command }) => command).join('; ')}\`.`,
  )
}

/** Databases of Mathesar's role that it is not connected to. */
const othersQuery = `
  SELECT datname AS name FROM pg_database WHERE pg_get_userbyid(datdba) = $1 AND NOT datistemplate
    AND datname <> ALL($2) AND datname <> 'postgres' ORDER BY 1`

/**
 * Throws unless all of these databases can be copied, and closed if the server `isLeft`. Returns those that
 * stay behind.
 */
export const checkSource = async (
  scope: MoveScope,
  databases: readonly string[],
  isLeft: boolean,
): Promise<readonly string[]> => {
  const { database, internal, role } = scope.source
  if (isLeft) await requireClosable(scope, databases)
  if (database.kind === 'embedded') return []
  await requireVersion(scope)
  for (const name of databases) await requireRights(scope, name)
  return await inSource(scope, internal, (client) => namesOf(client, othersQuery, [role, databases]))
}
