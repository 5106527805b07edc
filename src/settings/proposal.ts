import { SupervisorError } from '../errors.ts'
import { editConfig, parseConfig, renderConfig } from './env-file.ts'
import type { ConfigFiles, Configuration } from './configuration.ts'
import type { Origin } from './history.ts'
import { warningsFor } from './near-names.ts'
import { isSetting, settingNames, settingOf, type SettingName } from './table.ts'

/** A wish to change the configuration. At most one of `set`, `files` and `revision`; none of them reads the files again. */
export type Proposal = {
  readonly from: Origin
  /** The version that it was made from: when it is no longer the current one, the proposal is refused. */
  readonly base?: string | undefined
  /** Settings to set; null unsets. */
  readonly set?: Readonly<Record<string, string | null>> | undefined
  /** Whole files. */
  readonly files?: Partial<ConfigFiles> | undefined
  /** The files of an earlier version. */
  readonly revision?: ConfigFiles | undefined
  /** A new generation of Mathesar in any case. */
  readonly reload?: boolean
  /** Check and plan, and do nothing. */
  readonly dryRun?: boolean
}

export const templateText = (): string =>
  renderConfig(
    settingNames.map((name) => {
      const { does, only, ...setting } = settingOf(name)
      return {
        name,
        ...setting,
        does: only === undefined ? does : `${does} Not here: only in the environment.`,
      }
    }),
  )

export const isPinned = (name: SettingName, { settings }: Configuration): boolean =>
  settings[name].source === 'environment' || settingOf(name).only === 'environment'

const refusePinned = (name: SettingName): never => {
  const why =
    settingOf(name).only === 'environment'
      ? 'it is taken from the environment only'
      : 'the container was started with it in its environment, which wins'
  throw new SupervisorError('SETTING_PINNED', `cannot change ${name}: ${why}`)
}

const edited = (set: Readonly<Record<string, string | null>>, current: Configuration): string => {
  for (const name of Object.keys(set)) {
    if (!isSetting(name))
      throw new SupervisorError(
        'CONFIG_INVALID',
        `cannot change ${name.slice(0, 80)}: ${warningsFor([name], settingNames)[0] ?? 'there is no such setting'}`,
        { hint: '`supervisor config show` lists all settings.' },
      )
    if (isPinned(name, current)) refusePinned(name)
  }
  return editConfig(
    current.files['mathesar.env'] ?? templateText(),
    Object.fromEntries(Object.entries(set).map(([name, value]) => [name, value ?? undefined])),
  )
}

/** The files as the proposal wants them. `onDisk` is what lies in the folder. */
export const filesWanted = (proposal: Proposal, current: Configuration, onDisk: ConfigFiles): ConfigFiles => {
  if (proposal.base !== undefined && proposal.base !== current.version)
    throw new SupervisorError(
      'CONFIG_CONFLICT',
      `cannot change the configuration: it was edited from version ${proposal.base.slice(0, 40)}, and is at ${current.version} by now`,
    )
  if (proposal.revision) return proposal.revision
  if (proposal.set) return { ...current.files, 'mathesar.env': edited(proposal.set, current) }
  if (proposal.files) return { ...current.files, ...proposal.files }
  return onDisk
}

/** An edit of a pinned setting would be without effect: it is refused, so that nobody takes it for done. */
export const refusePinnedEdits = (wanted: ConfigFiles, current: Configuration): void => {
  const before = new Map(
    parseConfig(current.files['mathesar.env'] ?? '').entries.map(({ name, value }) => [name, value]),
  )
  for (const { name, value, line } of parseConfig(wanted['mathesar.env'] ?? '').entries) {
    if (
      !isSetting(name) ||
      current.settings[name].source !== 'environment' ||
      value === before.get(name) ||
      value === current.settings[name].value
    )
      continue
    throw new SupervisorError(
      'SETTING_PINNED',
      `cannot change ${name} (mathesar.env, line ${line}): the container was started with it in its environment, which wins`,
    )
  }
}
