import { inVolume } from './place.ts'
import { readControlFile } from './postgres/control-file.ts'
import { defineTask, type Scope } from './unit.ts'

/** A cluster that has served, as the volume remembers it. */
type ServedCluster = {
  /** Of its control file. Clusters from the template of one image share it. */
  readonly systemIdentifier: string | undefined
  /** The user that the container was started as. */
  readonly startedAs: number | undefined
}

/** What the volume says of the installation on it. Fields that this version does not know are kept. */
export type Manifest = Readonly<Record<string, unknown>> & {
  readonly cluster?: ServedCluster
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const parseCluster = (value: unknown): ServedCluster => {
  const { systemIdentifier, startedAs, ...more } = isRecord(value) ? value : {}
  return {
    ...more,
    systemIdentifier: typeof systemIdentifier === 'string' ? systemIdentifier : undefined,
    startedAs: typeof startedAs === 'number' ? startedAs : undefined,
  }
}

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
    const { cluster, ...others } = value
    return cluster === undefined ? others : { ...others, cluster: parseCluster(cluster) }
  } catch (error) {
    system.log.say('warn', `cannot read ${path}: ${(error as Error).message}`)
    return { cluster: parseCluster(undefined) }
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
    const before = readManifest(scope)
    const cluster: ServedCluster = {
      systemIdentifier: readControlFile(scope)?.identifier,
      startedAs: place.identities.supervisor.uid,
    }
    const isNoted =
      before.cluster?.systemIdentifier === cluster.systemIdentifier &&
      before.cluster?.startedAs === cluster.startedAs
    if (before.cluster !== undefined && isNoted) return undefined
    const text = JSON.stringify({ ...before, cluster: { ...before.cluster, ...cluster } }, null, 2)
    system.files.writeWhole(inVolume(place.paths).manifest, `${text}\n`, 0o644)
    return undefined
  },
})
