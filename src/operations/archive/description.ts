import * as v from 'valibot'
import { SupervisorError } from '../../errors.ts'

/**
 * Grows when an older supervisor could no longer read what a newer one writes. An archive has the least that
 * it can be read with: 2 is one that builds on another.
 */
const formatVersion = 2
export const formatOf = (parent: string | undefined): 1 | 2 => (parent === undefined ? 1 : 2)

const text = v.pipe(v.string(), v.maxLength(1000))
const known = v.nullable(text)

/**
 * The first thing that an archive says: `backup.json`. What is not here is not refused: later versions may
 * add to it.
 */
const schema = v.object({
  /** What kind of file this is. */
  mathesarBackup: v.picklist([1, formatVersion]),
  /** A copy of the cluster's files, exact to the OID, or a dump of each database, for any other server. */
  kind: v.picklist(['exact', 'portable']),
  /** ISO 8601. */
  at: text,
  instance: known,
  supervisor: text,
  mathesar: known,
  migration: known,
  /** Of the server, such as "17.9". */
  postgres: known,
  locale: known,
  collation: known,
  keyFingerprint: known,
  /** Whether the secret key, passwords and files with secrets are in it. */
  hasSecrets: v.boolean(),
  /** Bytes of all databases, for the progress of whoever reads it. */
  databaseBytes: v.number(),
  /** What Mathesar keeps elsewhere. */
  outside: v.optional(v.array(text)),
  /** The name of the archive that it builds on: of the cluster it has only what has changed since. */
  parent: v.optional(text),
  /** Of a portable one: which dump is of which database. */
  databases: v.optional(v.array(v.object({ name: text, file: text }))),
})

export type Description = v.InferOutput<typeof schema>

/** Why an archive cannot be of use here. */
export const foreign = (why: string, hint?: string): SupervisorError =>
  new SupervisorError('BACKUP_FOREIGN', `cannot use this archive: ${why}`, hint === undefined ? {} : { hint })

const newerHint = 'Restore it with the image that made it, or a newer one. Nothing was changed.'

export const parseDescription = (data: Buffer): Description => {
  let value: unknown
  try {
    value = JSON.parse(data.toString())
  } catch {
    throw foreign('its backup.json is not JSON')
  }
  const version = v.safeParse(v.object({ mathesarBackup: v.number() }), value)
  if (!version.success) throw foreign('its backup.json is not one of ours')
  if (version.output.mathesarBackup > formatVersion)
    throw foreign(
      `it is of format ${version.output.mathesarBackup}; this image reads up to ${formatVersion}`,
      newerHint,
    )
  const parsed = v.safeParse(schema, value)
  if (!parsed.success) throw foreign(`its backup.json is not one of ours: ${parsed.issues[0].message}`)
  return parsed.output
}

/** What an image can restore, as far as that can be told before the archive is read. */
export type Fitness = {
  /** The major version of its server. */
  readonly postgresMajor: string | undefined
  /** Its migrations; `undefined` where it has no list. */
  readonly migrations: readonly string[] | undefined
}

/** Refuses what this image could not serve. */
export const requireFit = (description: Description, { postgresMajor, migrations }: Fitness): void => {
  const { kind, postgres, migration, mathesar } = description
  if (kind === 'portable')
    throw foreign(
      'it is a portable one, with a dump of each database',
      'Its README.txt says how to load the dumps into any Postgres. What is keyed by OID is not in them. ' +
        'Nothing was changed.',
    )
  if (postgresMajor === undefined) throw foreign('this image has no Postgres server')
  const major = postgres?.split('.')[0]
  if (major !== undefined && major !== postgresMajor)
    throw foreign(
      `it is of Postgres ${major}, and this image has ${postgresMajor}`,
      `Restore it with an image that has Postgres ${major}. Nothing was changed.`,
    )
  if (migration !== null && migrations !== undefined && !migrations.includes(migration))
    throw foreign(
      `it is of a newer Mathesar (${mathesar ?? 'unknown version'}): this image does not know ${migration}`,
      newerHint,
    )
}
