import { inVolume } from './place.ts'
import { readControlFile } from './postgres/control-file.ts'
import { defineTask, type Scope } from './unit.ts'

/** A cluster that has served, as the volume remembers it. */
type ServedCluster = {
  /** Of its control file. Clusters from the template of one image share it. */
  readonly systemIdentifier?: unknown
  /** The user that Postgres ran as. */
  readonly uid?: unknown
}

/** What the volume says of the installation on it. Fields that this version does not know are kept. */
export type Manifest = Readonly<Record<string, unknown>> & {
  readonly cluster?: ServedCluster | undefined
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Reads the manifest; `{}` where there is none. One that cannot be read still says that a cluster has served:
 * nothing else writes it.
 */
export const readManifest = ({ system, place }: Scope<never>): Manifest => {
  const path = inVolume(place.paths).manifest
  try {
    const text = system.files.readIfThere(path)
    if (text === undefined) return {}
    const value: unknown = JSON.parse(text)
    if (!isRecord(value)) throw new Error('it is not a JSON object')
    return { ...value, cluster: isRecord(value.cluster) ? value.cluster : undefined }
  } catch (error) {
    system.log.say('warn', `cannot read ${path}: ${(error as Error).message}`)
    return { cluster: {} }
  }
}

/** What to do where that which the volume had is gone. */
export const startAnewHint = ({ paths }: Scope['place']): string =>
  `To begin anew with an empty installation, remove ${inVolume(paths).manifest}; nothing was changed.`

/**
 * Notes in the volume that its cluster serves, before it does. From then on a cluster or database that is
 * gone is missed: a new one in its place would greet the first visitor as its administrator.
 */
export const manifest = defineTask({
  name: 'manifest',
  needs: ['database', 'sync'],
  description: 'notes in the volume which cluster serves from it',
  skip: ({ database }) => (database.kind === 'external' ? 'the database is external' : undefined),
  run: async (scope) => {
    const { system, place } = scope
    const { supervisor, postgres = supervisor } = place.identities
    const before = readManifest(scope)
    const cluster: ServedCluster = {
      systemIdentifier: readControlFile(scope)?.identifier,
      uid: postgres.uid,
    }
    const isNoted =
      before.cluster?.systemIdentifier === cluster.systemIdentifier && before.cluster?.uid === cluster.uid
    if (before.cluster !== undefined && isNoted) return undefined
    const text = JSON.stringify({ ...before, cluster: { ...before.cluster, ...cluster } }, null, 2)
    system.files.writeWhole(inVolume(place.paths).manifest, `${text}\n`, 0o644)
    return undefined
  },
})
