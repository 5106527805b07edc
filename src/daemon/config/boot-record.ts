import {
  type ConfigFiles,
  type Configuration,
  editsToPersist,
  versionOf,
} from '../../settings/configuration.ts'
import { editConfig } from '../../settings/env-file.ts'
import { failedBoot } from '../../settings/history.ts'
import { type Change, changesBetween } from '../../settings/plan.ts'
import { templateText } from '../../settings/proposal.ts'
import type { ChangesOptions } from './change.ts'

type Options = Pick<ChangesOptions, 'check' | 'environment' | 'now' | 'read' | 'store'>

/**
 * Writes what the environment gives into the file, so that the next container on the same volume keeps it.
 * Resolves with the configuration as it is then.
 */
export const persistEnvironment = async (
  { check, environment, read, store }: Options,
  current: Configuration,
): Promise<Configuration> => {
  const before = current.files['mathesar.env']
  const text = editConfig(before ?? templateText(), editsToPersist(current, environment))
  let next = current
  try {
    const wanted = text === before ? current : await check({ ...current.files, 'mathesar.env': text })
    if (versionOf(read()) === current.version) {
      if (wanted.version !== current.version) store.write(wanted.files)
      next = wanted
    } // Else somebody edited the files meanwhile: that comes next.
    store.protect()
  } catch {
    /* A folder that cannot be written: the environment alone serves. */
  }
  return next
}

/** What differs from the files that were in force before; nothing where there are none. */
const changesSince = async (
  { check }: Pick<Options, 'check'>,
  before: ConfigFiles | undefined,
  current: Configuration,
): Promise<readonly Change[]> => {
  if (before === undefined) return []
  try {
    return changesBetween(await check(before), current)
  } catch {
    return [] // Files of an older image, which this one would refuse.
  }
}

/**
 * Records what is in force as good, unless it is recorded: the next boot can go back to it. Resolves with
 * whether the volume has that; where it is read-only, it may be written later.
 */
export const recordBoot = async (options: Options, current: () => Configuration): Promise<boolean> => {
  const { store, now } = options
  const { version, files } = current()
  const before = store.lastGood()
  // What was refused at boot has been told then:
  // an entry after it keeps the next start from telling it again.
  if (before?.version === version && failedBoot(store.readHistory()) === undefined) return true
  const changes = await changesSince(options, before?.files, current())
  if (current().version !== version) return true // The change that came in between has recorded itself.
  store.keep(version, files)
  return store.record({
    at: new Date(now()).toISOString(),
    from: 'boot',
    version,
    result: 'applied',
    changes,
    why: null,
  })
}
