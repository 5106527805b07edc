import { MiB } from '../core/amounts.ts'
import { isRecord } from '../core/record.ts'
import { version } from '../version.ts'
import { readImageMigrations } from './mathesar/applied.ts'
import { inVolume } from './place.ts'
import { readControlFile } from './postgres/control-file.ts'
import type { Results } from './results.ts'
import { defineTask, type Scope, type Where } from './unit.ts'

/** A cluster that has served, as the volume remembers it. */
type ServedCluster = {
  /** Of its control file. Clusters from the template of one image share it. */
  readonly systemIdentifier: string | undefined
  /** The user that the container was started as. */
  readonly startedAs: number | undefined
}

/** What last served from the volume. `null` is what it could not find out. */
type ServedBy = {
  readonly supervisor: string
  readonly mathesar: string | null
  /** The last of the migrations that its image has. */
  readonly migration: string | null
  /** With an external database, nothing of the server is noted. */
  readonly postgres: string | null
  /** The locale of the internal database, and the versions of the libraries that sort text. */
  readonly locale: string | null
  readonly collation: string | null
}

/** The boot that last got so far that it could serve. Times are ISO 8601. */
type LastBoot = {
  readonly at: string
  /** How the one before ended; `null` where there was none, or its end cannot be told. */
  readonly after: 'clean stop' | 'unclean stop' | null
}

/** What the volume says of the installation on it. Fields that this version does not know are kept. */
export type Manifest = Readonly<Record<string, unknown>> & {
  readonly cluster?: ServedCluster
}

/** What this version writes into a manifest, beside the cluster. */
type Installation = {
  /** Made once: it names the installation, wherever its volume goes. */
  readonly instance: string
  readonly createdAt: string
  readonly servedBy: ServedBy
  /** Of the secret key that its stored passwords are encrypted with. */
  readonly keyFingerprint: string
  readonly lastBoot: LastBoot
}

const parseCluster = (value: unknown): ServedCluster => {
  const { systemIdentifier, startedAs, ...more } = isRecord(value) ? value : {}
  return {
    ...more,
    systemIdentifier: typeof systemIdentifier === 'string' ? systemIdentifier : undefined,
    startedAs: typeof startedAs === 'number' ? startedAs : undefined,
  }
}

const parseManifest = (text: string): Manifest => {
  const value: unknown = JSON.parse(text)
  if (!isRecord(value)) throw new Error('it is not a JSON object')
  const { cluster, ...others } = value
  return cluster === undefined ? others : { ...others, cluster: parseCluster(cluster) }
}

/** One that cannot be used still says that a cluster has served: nothing else writes it. */
const spoilt = ({ system, place }: Where, error: unknown): Manifest => {
  system.log.say('warn', `cannot read ${inVolume(place.paths).manifest}: ${(error as Error).message}`)
  return { cluster: parseCluster(undefined) }
}

/**
 * Reads the manifest, for whoever writes it again or must not miss a mark in it: throws where the disk does
 * not give it. `{}` where there is none.
 */
export const requireManifest = (where: Where): Manifest => {
  try {
    const text = where.system.files.readIfThere(inVolume(where.place.paths).manifest)
    return text === undefined ? {} : parseManifest(text)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== undefined) throw error
    return spoilt(where, error)
  }
}

/** The same for whoever can do without. */
export const readManifest = (where: Where): Manifest => {
  try {
    return requireManifest(where)
  } catch (error) {
    return spoilt(where, error)
  }
}

const write = ({ system }: Where, path: string, manifest: Manifest): void =>
  void system.files.writeWhole(path, `${JSON.stringify(manifest, null, 2)}\n`, 0o644)

/** Replaces the manifest, durably. */
export const replaceManifest = (where: Where, manifest: Manifest): void =>
  write(where, inVolume(where.place.paths).manifest, manifest)

/** What is noted of the cluster in a folder once it is one that serves. */
const servedIn = (where: Where, cluster: string): ServedCluster => ({
  systemIdentifier: readControlFile(where, cluster)?.identifier,
  startedAs: where.place.identities.supervisor.uid,
})

/** Writes the manifest of an installation that is prepared in a folder, with its cluster. */
export const writeManifestIn = (where: Where, folder: string, manifest: Manifest): void => {
  const { manifest: path, cluster } = inVolume({ data: folder })
  write(where, path, { ...manifest, cluster: { ...manifest.cluster, ...servedIn(where, cluster) } })
}

const textOr = <Other>(value: unknown, other: Other): string | Other =>
  typeof value === 'string' && value !== '' ? value : other

/** What a manifest says of the installation; `null` for what it does not say. */
export const installationIn = ({
  instance,
  servedBy,
}: Manifest): { readonly instance: string | null; readonly servedBy: Partial<ServedBy> } => {
  const noted = isRecord(servedBy) ? servedBy : {}
  const texts = Object.entries(noted).filter(([, value]) => typeof value === 'string')
  return { instance: textOr(instance, null), servedBy: Object.fromEntries(texts) }
}

/** What to do where that which the volume had is gone. */
export const startAnewHint = ({ paths }: Scope['place']): string =>
  `To start over with an empty installation, remove ${inVolume(paths).manifest}; nothing was changed.`

/** The version of Mathesar that last served from the volume; `undefined` where nobody noted it. */
export const readServedVersion = (scope: Scope<never>): string | undefined =>
  installationIn(readManifest(scope)).servedBy.mathesar?.slice(0, 50)

/** What it takes to look into the image. */
type Reads = Pick<Where, 'place'> & { readonly system: Pick<Where['system'], 'files'> }

/** The version of Mathesar in the image; `null` where it does not say. */
export const readAppVersion = ({ system, place }: Reads): string | null => {
  const text = system.files.readIfThere(`${place.paths.app}/mathesar/__init__.py`, MiB)
  return /^__version__ = ["']([^"'\n]{1,50})["']/m.exec(text ?? '')?.[1] ?? null
}

/** The last migration of Mathesar among those of the image. */
const lastMigrationOf = (scope: Where): string | null =>
  readImageMigrations(scope)?.findLast((name) => name.startsWith('mathesar.')) ?? null

const readServedBy = (scope: Scope<'database'>): ServedBy => {
  const server = scope.results.database
  return {
    supervisor: version,
    mathesar: readAppVersion(scope),
    migration: lastMigrationOf(scope),
    postgres: server?.version ?? null,
    locale: server?.locale ?? null,
    collation: server?.collation ?? null,
  }
}

const lastStopOf = ({ wasShutDown }: Results['cluster']): LastBoot['after'] => {
  if (wasShutDown === undefined) return null
  return wasShutDown ? 'clean stop' : 'unclean stop'
}

/**
 * Notes in the volume what serves from it, before it does. From then on a cluster or database that is
 * gone is missed: a new one in its place would greet the first visitor as its administrator.
 */
export const manifest = defineTask({
  name: 'manifest',
  needs: ['database', 'sync', 'secrets', 'cluster', 'collations', 'migrations', 'user-databases'],
  description: 'notes in the volume what serves from it',
  skip: ({ database }) => (database.kind === 'external' ? 'the database is external' : undefined),
  run: async (scope) => {
    const { system, place, results } = scope
    const { fingerprintOf } = await import('./fingerprint.ts')
    const before = requireManifest(scope)
    const at = new Date(system.clock.now()).toISOString()
    const cluster = servedIn(scope, inVolume(place.paths).cluster)
    const installation: Installation = {
      instance: textOr(before.instance, system.randomText(20)),
      createdAt: textOr(before.createdAt, at),
      servedBy: readServedBy(scope),
      keyFingerprint: fingerprintOf(results.secrets.secretKey),
      lastBoot: { at, after: lastStopOf(results.cluster) },
    }
    replaceManifest(scope, { ...before, ...installation, cluster: { ...before.cluster, ...cluster } })
    return undefined
  },
})
