import type { Client } from '../../system/ports.ts'

/** A Django migration as `app.name`. */
export type Migration = string

/**
 * Mathesar's own role may fill its table. Django has columns of 255 characters,
 * and there are some hundred migrations.
 */
const appliedLimit = 10_000

/**
 * The migrations that the internal database has. In a transaction no query may fail:
 * its lock would go with it.
 */
export const appliedMigrations = async (client: Client): Promise<Migration[]> => {
  const table = await client.query<{ isThere: boolean }>(
    `SELECT to_regclass('django_migrations') IS NOT NULL AS "isThere"`,
  )
  if (!table.rows[0]?.isThere) return [] // Nothing was ever migrated.
  const { rows } = await client.query<{ migration: Migration }>(
    `SELECT left(app || '.' || name, 300) AS migration FROM django_migrations LIMIT ${appliedLimit}`,
  )
  return rows.map(({ migration }) => migration)
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
