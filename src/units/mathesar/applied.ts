/** A Django migration as `app.name`. */
export type Migration = string

/**
 * What is to be done about migrations. `ahead` names those that the database has and the image does not, in an app that the image knows:
 * a newer Mathesar wrote them.
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
