import type { Client } from '../../system/ports.ts'
import type { Left } from '../../units/left.ts'
import { anyMark } from './given.ts'
import { readMoving } from './passwords.ts'
import { settingsWhere, type Told } from './settings.ts'
import { inSource, type MoveScope } from './source.ts'

/**
 * What comes last there, once the marks have done their work: comments take their place, foreign keys are
 * proved, and sessions are limited, which may leave none for us.
 */

/** A server that was moved to before may have marks of then. */
const commentOf = (catalog: 'pg_database' | 'pg_authid'): string =>
  `(SELECT comment FROM pg_catalog.shobj_description(oid, '${catalog}') AS comment
    WHERE comment !~ '${anyMark}')`

const databaseQuery = `
  SELECT format('COMMENT ON DATABASE %I IS %L', datname, ${commentOf('pg_database')}) AS command
    FROM pg_catalog.pg_database WHERE datname = current_database()
  UNION ALL SELECT format('ALTER TABLE %I.%I VALIDATE CONSTRAINT %I', nspname, relname, conname)
    FROM pg_catalog.pg_constraint JOIN pg_catalog.pg_class c ON c.oid = conrelid
      JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace
    WHERE contype = 'f' AND convalidated AND relkind = 'r' AND conparentid = 0
  UNION ALL SELECT format('ALTER DATABASE %I CONNECTION LIMIT %s', datname, datconnlimit)
    FROM pg_catalog.pg_database WHERE datname = current_database() AND datconnlimit >= 0`

const rolesQuery = `
  SELECT format('COMMENT ON ROLE %I IS %L', rolname, ${commentOf('pg_authid')}) AS command
    FROM pg_catalog.pg_roles WHERE rolname = ANY ($1)`

type Command = { readonly command: string }

const textsOf = ({ rows }: { readonly rows: readonly Command[] }): readonly string[] =>
  rows.map(({ command }) => command)

/** The comments of these roles, each as a command. */
export const readComments = async (client: Client, roles: readonly string[]): Promise<readonly string[]> =>
  textsOf(await client.query<Command>(rolesQuery, [roles]))

/** All of it, as Mathesar's role there may do it. */
export const readFinish = async (scope: MoveScope, names: readonly string[]): Promise<Left['toFinish']> => {
  const { internal } = scope.source
  const ofRoles = await inSource(scope, internal, async (client) => {
    const { roles } = await readMoving(scope, client, names)
    return await readComments(
      client,
      roles.map(({ name }) => name),
    )
  })
  const all = [{ name: internal, commands: ofRoles }]
  for (const name of names)
    all.push({
      name,
      commands: await inSource(scope, name, async (client) =>
        textsOf(await client.query<Command>(databaseQuery)),
      ),
    })
  return all
}

/** What a move itself sets, where the server knows it. */
const selfGrant = 'createrole_self_grant'

const ownSettings = settingsWhere(`setdatabase = 0 AND rolname = $1 AND lower(name) <> '${selfGrant}'`)

/** Has Mathesar's role there set what it has set here. */
export const carryOwnSettings = async (
  { source }: MoveScope,
  client: Client,
  there: Client,
  warn: (what: string) => void,
): Promise<void> => {
  const { rows } = await client.query<Told>(ownSettings, [source.role])
  for (const { command, what } of rows) await there.query(command).catch(() => warn(what))
}
