import { isDeepStrictEqual } from 'node:util'
import { configFiles, type ConfigFile, type Configuration } from './configuration.ts'
import { type Action, settingNames, settingOf, type SettingName, type Values } from './table.ts'

/** One thing that differs, and the least that makes it true. */
export type Change = {
  readonly name: SettingName | Exclude<ConfigFile, 'mathesar.env'>
  readonly action: Action
}

const actionOfFile = { 'sso.yml': 'generation', 'file_storage.yml': 'nothing' } as const

/** What differs between two configurations, by effective value. */
export const changesBetween = (before: Configuration, after: Configuration): readonly Change[] => {
  const sameDatabase = isDeepStrictEqual(before.database, after.database)
  const actionOf = (name: SettingName): Action => {
    const { change } = settingOf(name)
    if (change === 'database' && sameDatabase) return 'nothing'
    if (change.startsWith('postgres-') && after.database.kind === 'external') return 'nothing'
    return change
  }
  return [
    ...settingNames
      .filter((name) => before.settings[name].value !== after.settings[name].value)
      .map((name) => ({ name, action: actionOf(name) })),
    ...configFiles.flatMap((name): Change[] =>
      name !== 'mathesar.env' && before.files[name] !== after.files[name]
        ? [{ name, action: actionOfFile[name] }]
        : [],
    ),
  ]
}

/** What has to be done, in the order of `daemon/transaction.ts`. */
export type Plan = {
  readonly changes: readonly Change[]
  readonly database: boolean
  readonly postgres: 'reload' | 'restart' | undefined
  /** Whether Mathesar needs a new generation. */
  readonly generation: boolean
}

/** The least that makes all changes true together. A reload that somebody asks for makes a new generation in any case. */
export const planOf = (changes: readonly Change[], reload = false): Plan => {
  const has = (action: Action): boolean => changes.some((change) => change.action === action)
  const database = has('database')
  return {
    changes,
    database,
    // A switch of the database starts the embedded Postgres anew, or leaves it behind.
    postgres: database
      ? undefined
      : has('postgres-restart')
        ? 'restart'
        : has('postgres-reload')
          ? 'reload'
          : undefined,
    generation: reload || database || has('postgres-restart') || has('generation'),
  }
}

/** The settings that can be in force now: those that wait for the next start of the container keep their value of this one. */
export const inForce = (boot: Values, settings: Values): Values =>
  Object.fromEntries(
    settingNames.map((name) => [name, settingOf(name).change === 'container' ? boot[name] : settings[name]]),
  ) as Record<SettingName, Values[SettingName]>

export const actionInWords: Readonly<Record<Action, string>> = {
  nothing: 'in force at once, nothing is restarted',
  generation: 'a new generation of Mathesar takes over; no request fails',
  'postgres-reload': 'Postgres reads its settings again; no connection is lost',
  'postgres-restart': 'Postgres restarts; requests wait for it',
  database: 'Mathesar moves to the other database, which is checked and migrated first',
  container: 'takes effect at the next start of the container',
}
