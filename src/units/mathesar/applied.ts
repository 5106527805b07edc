import { MiB } from '../../core/amounts.ts'
import { SupervisorError } from '../../errors.ts'
import type { Client } from '../../system/ports.ts'
import type { Where } from '../unit.ts'

/** A Django migration as `app.name`. */
export type Migration = string

/** The migrations of the image, sorted; `undefined` where it has no list of them. */
export const readImageMigrations = ({ system, place }: Where): readonly Migration[] | undefined => {
  const list = system.files.readIfThere(`${place.paths.share}/migrations.json`, MiB)
  return list === undefined ? undefined : (JSON.parse(list) as Migration[])
}

/**
 * Mathesar's own role may fill its table. Django has columns of 255 characters,
 * and there are some hundred migrations.
 */
const appliedLimit = 10_000

/** What the internal database says of itself. */
export type Internal = {
  readonly applied: readonly Migration[]
  /** The comment of its table of migrations: see `key-check.ts`. */
  readonly note: string | null
  /** Whether our role may set that comment. */
  readonly isOwner: boolean
}

/**
 * The migrations that the internal database has, and its note of the key. In a transaction no query may fail:
 * its lock would go with it. What is not a table could answer anything, or never.
 */
export const readInternal = async (client: Client): Promise<Internal> => {
  const found = await client.query<{ isTable: boolean; note: string | null; isOwner: boolean }>(
    `SELECT relkind = 'r' AS "isTable", pg_catalog.pg_has_role(relowner, 'USAGE') AS "isOwner",
        left(pg_catalog.obj_description(oid, 'pg_class'), 300) AS note
      FROM pg_catalog.pg_class WHERE oid = pg_catalog.to_regclass('django_migrations')`,
  )
  const [relation] = found.rows
  if (relation === undefined) return { applied: [], note: null, isOwner: true } // Who makes it owns it.
  if (!relation.isTable)
    throw new SupervisorError(
      'DATABASE_REFUSED',
      'cannot read the migrations of the internal database: its django_migrations is not a table',
      { hint: 'Somebody put a view or the like in its place: restore the database from a backup.' },
    )
  const { rows } = await client.query<{ migration: Migration }>(
    `SELECT left(app || '.' || name, 300) AS migration FROM django_migrations LIMIT ${appliedLimit}`,
  )
  const { note, isOwner } = relation
  return { applied: rows.map(({ migration }) => migration), note, isOwner }
}

/**
 * What is to be done about migrations. `ahead` names those that the database has and the image does not, in
 * an app that the image knows: a newer Mathesar wrote them.
 */
export const compareMigrations = (
  image: readonly Migration[],
  database: readonly Migration[],
): { readonly missing: Migration[]; readonly ahead: Migration[] } => {
  const known = new Set(image)
  const applied = new Set(database)
  const apps = new Set(image.map((migration) => migration.split('.', 1)[0]))
  return {
    missing: image.filter((migration) => !applied.has(migration)),
    ahead: database.filter((migration) => !known.has(migration) && apps.has(migration.split('.', 1)[0])),
  }
}
