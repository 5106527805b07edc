import {
  configFiles,
  type ConfigFiles,
  type Configuration,
  readConfiguration,
  versionOf,
} from '../../settings/configuration.ts'
import { changesBetween } from '../../settings/plan.ts'
import { isTrue } from '../../settings/table.ts'
import type { Machine } from '../../units/postgres/sizing.ts'
import { createStore, type Store } from './store.ts'
import { type ErrorCode, SupervisorError, toSupervisorError } from '../../errors.ts'
import { files, give } from '../../system/files.ts'
import { lackingCapabilities, readMachine, userNamed, userNumbered } from '../../system/machine.ts'
import { readConfigFiles } from '../../system/watch.ts'
import { type Context, type Identities, inVolume, type Paths } from '../../units/place.ts'
import { readPaths } from '../../system/paths.ts'

const readIdentities = (): Identities => {
  const uid = process.getuid!()
  const supervisor = userNumbered(uid) ?? { name: String(uid), uid, gid: process.getgid!() }
  if (uid !== 0) return { supervisor, postgres: undefined, mathesar: undefined }
  const lacking = lackingCapabilities()
  if (lacking.length > 0)
    throw new SupervisorError(
      'PRIVILEGES_INSUFFICIENT',
      `cannot start as root without ${lacking.join(', ')}: Postgres and Mathesar run as users of their own`,
    )
  const nobody = userNamed('nobody')
  return { supervisor, postgres: userNamed('postgres') ?? nobody, mathesar: userNamed('mathesar') ?? nobody }
}

/** A file that a `NAME_FILE` variable names. */
const readGiven = (path: string): string => {
  const text = files.readIfThere(path)
  if (text === undefined) throw new Error('ENOENT')
  return text
}

/** Reads, checks and merges config files with the environment, for this image. */
export const createCheck =
  (env: Readonly<Record<string, string | undefined>>, paths: Paths) =>
  async (content: ConfigFiles): Promise<Configuration> => {
    const hasYaml = content['sso.yml'] !== undefined || content['file_storage.yml'] !== undefined
    const yaml = hasYaml ? (await import('yaml')).default : undefined
    const parseYaml = (text: string): unknown => yaml?.parse(text, { logLevel: 'error' }) // Its warnings go past our log, and quote the line.
    const configuration = readConfiguration(content, { environment: env, readFile: readGiven, parseYaml })
    if (configuration.database.kind === 'embedded' && paths.postgresBin === undefined)
      throw new SupervisorError(
        'DATABASE_NOT_CONFIGURED',
        'cannot start a database: this image has no Postgres server, and no other one is given',
      )
    return configuration
  }

export const readContent = (paths: Paths): ConfigFiles =>
  readConfigFiles(inVolume(paths).config, configFiles).files as ConfigFiles

/** Files that were put aside in favour of those that last proved themselves, and why. */
type Rejected = { readonly files: ConfigFiles; readonly error: SupervisorError }

export type Setup = Pick<
  Context,
  'paths' | 'settings' | 'database' | 'configFiles' | 'identities' | 'environment'
> & {
  readonly machine: Machine
  readonly store: Store
  readonly configuration: Configuration
  readonly rejected: Rejected | undefined
  /** Whether the files were edited since they last proved themselves. */
  readonly isUnproven: () => boolean
}

/**
 * What this container is to be: its config files and environment, checked, and nothing done yet. A bad file gives way to the last good one.
 * Only with the `lock` of the volume is a write completed that an earlier supervisor was cut off from.
 */
export const readSetup = async (
  env: Readonly<Record<string, string | undefined>>,
  lock?: Context['lock'],
): Promise<Setup> => {
  const paths = readPaths(env)
  const identities = readIdentities()
  const check = createCheck(env, paths)
  const { config: folder, history, lock: lockFile } = inVolume(paths)
  const mayWrite = isTrue(env.UI_MAY_EDIT_CONFIG) ? identities.mathesar : undefined
  const store = createStore({
    files,
    folder,
    history,
    own: (path) =>
      give(
        path,
        mayWrite ? { ...identities.supervisor, gid: mayWrite.gid } : undefined,
        mayWrite ? 0o660 : 0o600,
      ),
  })
  if (lock) store.finish(() => lock(lockFile))
  const content = readContent(paths)
  let rejected: Rejected | undefined
  const configuration = await check(content).catch(async (thrown) => {
    const good = store.lastGood()
    if (good === undefined) throw thrown
    rejected = { files: content, error: toSupervisorError(thrown) }
    return await check(good.files) // A fault of the environment is thrown again.
  })
  const { settings, database, files: configFilesRead } = configuration
  const isUnproven = (): boolean => ![undefined, configuration.version].includes(store.lastGood()?.version)
  return {
    paths,
    settings,
    database,
    configFiles: configFilesRead,
    identities,
    environment: env,
    machine: readMachine(),
    store,
    configuration,
    rejected,
    isUnproven,
  }
}

const maybeBySettings: readonly ErrorCode[] = [
  'SERVICE_CRASH_LOOP',
  'SETTING_INVALID',
  'PORT_IN_USE',
  'MIGRATIONS_FAILED',
  'DATABASE_UNREACHABLE',
  'DATABASE_REFUSED',
  'DATABASE_AHEAD',
  'DATABASE_NOT_CONFIGURED',
]

/**
 * Files that were edited while the container was down are proved by its boot. When that fails with them, the good ones come back and
 * the refused ones lie beside. Resolves to whether that was so: another boot then has other settings.
 */
export const fallBack = async (
  { paths, environment, store, configuration }: Setup,
  error: SupervisorError,
): Promise<boolean> => {
  const good = store.lastGood()
  if (!maybeBySettings.includes(error.code) || good === undefined || good.version === configuration.version)
    return false
  try {
    const changes = changesBetween(await createCheck(environment, paths)(good.files), configuration)
    if (changes.length === 0) return false
    store.keepRejected(configuration.files, good.files)
    if (versionOf(readContent(paths)) === configuration.version) store.write(good.files) // An edit of this very moment is tried instead.
    store.note({
      at: new Date().toISOString(),
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
