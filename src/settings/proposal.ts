import { SupervisorError } from '../errors.ts'
import type { ConfigFiles, Configuration } from './configuration.ts'
import { editConfig, type Entry, parseConfig, renderConfig } from './env-file.ts'
import type { Origin } from './history.ts'
import { warningsFor } from './near-names.ts'
import {
  databaseSettings,
  isSetting,
  namesDatabase,
  settingNames,
  settingOf,
  type SettingName,
} from './table.ts'
import { cleanValue } from './values.ts'
import { whyInvalid } from './why-invalid.ts'

/** Reads the files again; with `reload` Mathesar gets a new generation in any case. */
type Reread = { readonly kind: 'reread'; readonly reload?: boolean }

type Edit =
  /**
   * Sets settings; null unsets. With `carries` the other database gets what the embedded Postgres has, within
   * so many seconds.
   */
  | {
      readonly kind: 'set'
      readonly set: Readonly<Record<string, string | null>>
      readonly carries?: number
    }
  /** Replaces whole files. */
  | { readonly kind: 'replace'; readonly files: Partial<ConfigFiles> }
  /** Goes back to the files of an earlier version. */
  | { readonly kind: 'restore'; readonly files: ConfigFiles }

/** A wish to change the configuration. */
export type Proposal = {
  readonly from: Origin
  /** The version that it was made from: when it is no longer the current one, the proposal is refused. */
  readonly base?: string
  /** Check and plan, and do nothing. */
  readonly isDryRun?: boolean
} & (Reread | Edit)

export const emptiedWarning =
  'mathesar.env is empty or gone, which is not an edit: it is put back as it was; ' +
  '`supervisor config unset` removes a setting'

const isBlank = (text: string): boolean => text.trim() === ''

/**
 * Whether mathesar.env was emptied or removed. Full disks, editors and scripts do that; it is not an edit.
 */
export const isEmptied = (now: ConfigFiles, before: ConfigFiles): boolean =>
  isBlank(now['mathesar.env'] ?? '') && !isBlank(before['mathesar.env'] ?? '')

const databaseLines = (text: string): readonly Entry[] =>
  parseConfig(text).entries.filter(
    ({ name }) =>
      name === 'DATABASE_URL' || databaseSettings.some((each) => each === name && namesDatabase(each)),
  )

/**
 * An edited file that no longer says anything of the external database may be a half-written one: Mathesar
 * would move to an empty database without a word. Whoever means the embedded one leaves a whole line without
 * a value, or does it by a command.
 */
export const refuseLostDatabase = ({ database, files }: Configuration, before: ConfigFiles): void => {
  if (database.kind !== 'embedded') return
  const text = files['mathesar.env'] ?? ''
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  const namedOne = databaseLines(before['mathesar.env'] ?? '').some(({ value }) => value.trim() !== '')
  if (!namedOne || databaseLines(whole).length > 0) return
  throw new SupervisorError(
    'CONFIG_INVALID',
    'cannot use mathesar.env: it no longer says which database, as if it were half-written ' +
      '(`POSTGRES_HOST=`, a line without a value, means the embedded one)',
    { hint: 'Name the database again. `POSTGRES_HOST=`, a line without a value, means the embedded one.' },
  )
}

/** Whether what the proposal wants is in the files of the config folder already. */
export const isOnDisk = (proposal: Proposal): proposal is Proposal & Reread => proposal.kind === 'reread'

/** The file of a first boot. */
export const templateText = (): string =>
  renderConfig(
    settingNames.map((name) => {
      const { description, only, ...setting } = settingOf(name)
      return {
        name,
        ...setting,
        description: only === undefined ? description : `${description} Not here: only in the environment.`,
      }
    }),
  )

export const isPinned = (name: SettingName, { values }: Configuration): boolean =>
  values[name].source === 'environment' || settingOf(name).only === 'environment'

const refusePinned = (name: SettingName): never => {
  if (settingOf(name).only === 'environment')
    throw new SupervisorError(
      'SETTING_PINNED',
      `cannot change ${name}: it is taken from the environment only`,
      { hint: `Start a new container on the same volume with \`-e ${name}=…\`.` },
    )
  throw new SupervisorError(
    'SETTING_PINNED',
    `cannot change ${name}: the container was started with it in its environment, which wins`,
  )
}

const refuseUnknown = (name: string): never => {
  const why = warningsFor([name], settingNames)[0] ?? 'there is no such setting'
  throw new SupervisorError('CONFIG_INVALID', `cannot change ${name.slice(0, 80)}: ${why}`, {
    hint: '`supervisor config show` lists all settings.',
  })
}

const edited = (set: Readonly<Record<string, string | null>>, current: Configuration): string => {
  for (const name of Object.keys(set)) {
    if (!isSetting(name)) refuseUnknown(name)
    else if (isPinned(name, current)) refusePinned(name)
  }
  const edits = Object.fromEntries(Object.entries(set).map(([name, value]) => [name, value ?? undefined]))
  return editConfig(current.files['mathesar.env'] ?? templateText(), edits)
}

/** Values that are typed are refused by their names, not by lines of a file that nobody has seen. */
export const refuseInvalid = (proposal: Proposal): void => {
  const given = proposal.kind === 'set' ? Object.entries(proposal.set) : []
  const faults = given.flatMap(([name, value]) => {
    if (!isSetting(name) || !value) return []
    const why = whyInvalid(name, cleanValue(name, value))
    return why === undefined ? [] : [`${name}: ${why}`]
  })
  if (faults.length === 0) return
  throw new SupervisorError('CONFIG_INVALID', `cannot change ${faults.join('; ')}`, {
    hint: 'Give another value; what was in force stays in force.',
  })
}

const refuseOutdated = (base: string, version: string): never => {
  throw new SupervisorError(
    'CONFIG_CONFLICT',
    `cannot change the configuration: it was edited from version ${base.slice(0, 40)}, and is at ` +
      `${version} by now`,
  )
}

/** The files as the proposal wants them. `onDisk` is what the config folder holds. */
export const filesWanted = (proposal: Proposal, current: Configuration, onDisk: ConfigFiles): ConfigFiles => {
  if (proposal.base !== undefined && proposal.base !== current.version)
    refuseOutdated(proposal.base, current.version)
  switch (proposal.kind) {
    case 'reread':
      return onDisk
    case 'set':
      return { ...current.files, 'mathesar.env': edited(proposal.set, current) }
    case 'replace':
      return { ...current.files, ...proposal.files }
    case 'restore':
      return proposal.files
  }
}

/** An edit of a pinned setting would be without effect: it is refused, so that nobody takes it for done. */
export const refusePinnedEdits = (wanted: ConfigFiles, { files, values }: Configuration): void => {
  const before = new Map(
    parseConfig(files['mathesar.env'] ?? '').entries.map(({ name, value }) => [name, value]),
  )
  for (const { name, value, line } of parseConfig(wanted['mathesar.env'] ?? '').entries) {
    if (!isSetting(name) || values[name].source !== 'environment') continue
    if (value === before.get(name) || value === values[name].value) continue
    throw new SupervisorError(
      'SETTING_PINNED',
      `cannot change ${name} (mathesar.env, line ${line}): the container was started with it in its ` +
        'environment, which wins',
    )
  }
}
