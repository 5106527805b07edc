import { errorTable, SupervisorError, toSupervisorError } from '../../errors.ts'
import {
  configFiles,
  type ConfigFiles,
  type Configuration,
  fileLimitBytes,
  readConfiguration,
  versionOf,
} from '../../settings/configuration.ts'
import { changesBetween } from '../../settings/plan.ts'
import { refuseLostDatabase } from '../../settings/proposal.ts'
import { isTrue } from '../../settings/kinds.ts'
import type { System } from '../../system/ports.ts'
import { yamlNames } from '../../settings/yaml-files.ts'
import { readAppVersion } from '../../units/manifest.ts'
import { inVolume, type Place } from '../../units/place.ts'
import { Store } from './store.ts'

/** Files that were put aside in favor of those that last proved themselves, and why. */
export type Rejected = { readonly files: ConfigFiles; readonly error: SupervisorError }

export type Setup = {
  readonly place: Place
  readonly store: Store
  readonly configuration: Configuration
  readonly rejected: Rejected | undefined
}

type Reads = Pick<System, 'files' | 'readConfigFiles' | 'loadYaml'>

/** A file that a `NAME_FILE` variable names. */
const readNamed =
  ({ files }: Reads) =>
  (path: string): string => {
    const text = files.readIfThere(path, fileLimitBytes)
    if (text === undefined) throw new Error('ENOENT')
    return text
  }

/** Reads, checks and merges config files with the environment, for this image. */
export const checkFiles = async (
  system: Reads,
  place: Place,
  content: ConfigFiles,
): Promise<Configuration> => {
  const { paths, environment } = place
  const hasYaml = yamlNames.some((name) => content[name] !== undefined)
  const parseYaml = hasYaml ? await system.loadYaml() : () => undefined
  const configuration = readConfiguration(content, {
    environment,
    readFile: readNamed(system),
    parseYaml,
    mathesar: readAppVersion({ system, place }),
  })
  if (configuration.database.kind === 'embedded' && paths.postgresBin === undefined) {
    throw new SupervisorError(
      'DATABASE_NOT_CONFIGURED',
      'cannot start a database: this image has no Postgres server, and no other one is given',
    )
  }
  return configuration
}

export const readContent = ({ readConfigFiles }: Reads, { paths }: Pick<Place, 'paths'>): ConfigFiles =>
  readConfigFiles(inVolume(paths).config, configFiles).files

const openStore = (
  { files, setOwner }: Pick<System, 'files' | 'setOwner'>,
  { paths, identities, environment }: Place,
): Store => {
  const { config: folder, history } = inVolume(paths)
  const mayWrite = isTrue(environment.UI_MAY_EDIT_CONFIG) ? identities.mathesar : undefined
  const mode = mayWrite ? 0o660 : 0o600
  const owner = mayWrite && { ...identities.supervisor, gid: mayWrite.gid }
  const ours = Object.values(identities).map((user) => user?.uid)
  /** Who owns a folder of the host edits the file in it. Not every file system can give it to them. */
  const giveToHost = (path: string): void => {
    const { uid, gid } = files.statOf(folder) ?? identities.supervisor
    if (identities.supervisor.uid !== 0 || ours.includes(uid)) return
    try {
      setOwner(path, { uid, gid: mayWrite?.gid ?? gid }, mode)
    } catch {
      /* It stays root's, who may read and write it. */
    }
  }
  return new Store({
    files,
    folder,
    history,
    setOwner: (path) => {
      setOwner(path, owner, mode)
      giveToHost(path)
    },
  })
}

/**
 * What this container is to be: its config files and environment, checked, and nothing done yet. A bad file
 * gives way to the last good one. Only with the `lock` of the volume is a write completed that an earlier
 * supervisor was cut off from.
 */
export const readSetup = async (
  system: Reads & Pick<System, 'setOwner'>,
  place: Place,
  lock?: System['lock'],
): Promise<Setup> => {
  const store = openStore(system, place)
  const isOurs = (): boolean => lock?.(inVolume(place.paths).lock) === true
  if (lock) store.finish(isOurs)
  const found = readContent(system, place)
  const { proved, left } = store.lastWanted()
  const wanted = (left ?? proved)?.files
  const good = (proved ?? left)?.files
  const warn = (message: string): void => store.warn(message)
  const content = wanted === undefined ? found : store.restoreEmptied(found, wanted, warn, isOurs)
  try {
    const configuration = await checkFiles(system, place, content)
    if (wanted !== undefined) refuseLostDatabase(configuration, wanted)
    return { place, store, configuration, rejected: undefined }
  } catch (thrown) {
    if (good === undefined) throw thrown
    // A fault of the environment is thrown again.
    const configuration = await checkFiles(system, place, good)
    return { place, store, configuration, rejected: { files: content, error: toSupervisorError(thrown) } }
  }
}

/** Whether the files were edited since they last proved themselves. */
export const isUnproven = ({ store, configuration }: Setup): boolean =>
  ![undefined, configuration.version].includes(store.lastGood()?.version)

/**
 * Files that were edited while the container was down are proved by its boot. When that fails with them,
 * moves them aside and restores the last good ones. Resolves with whether it did:
 * another boot then has other settings.
 */
export const fallBack = async (
  system: Reads & Pick<System, 'lock'>,
  { place, store, configuration }: Setup,
  error: SupervisorError,
  nowMs: number,
): Promise<boolean> => {
  const good = store.lastGood()
  if (!errorTable[error.code].maybeBySettings || good === undefined || good.version === configuration.version)
    return false
  try {
    const changes = changesBetween(await checkFiles(system, place, good.files), configuration)
    // Where another supervisor has the volume, its files are not the reason, and not ours.
    if (changes.length === 0 || !system.lock(inVolume(place.paths).lock)) return false
    store.keepRejected(configuration.files, good.files)
    // An edit of this very moment is tried instead.
    if (versionOf(readContent(system, place)) === configuration.version) store.write(good.files)
    store.record({
      at: new Date(nowMs).toISOString(),
      from: 'boot',
      version: configuration.version,
      result: 'rolled back',
      changes,
      why: error.message,
    })
    return true
  } catch {
    return false // A folder that cannot be written: the next boot would fail the same way.
  }
}
