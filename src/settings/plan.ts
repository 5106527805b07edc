import { isDeepStrictEqual } from 'node:util'
import { configFiles, type Configuration, type InForce } from './configuration.ts'
import { type Action, settingNames, settingOf, type SettingName, type Values } from './table.ts'
import { typeSettings } from './typed.ts'
import { type YamlFile, yamlFiles } from './yaml-files.ts'

/** One thing that differs, and the least that makes it true. */
export type Change = {
  readonly name: SettingName | YamlFile
  readonly action: Action
}

/** What differs between two configurations, by effective value. */
export const changesBetween = (before: Configuration, after: Configuration): readonly Change[] => {
  const sameDatabase = isDeepStrictEqual(before.database, after.database)
  const actionOf = (name: SettingName): Action => {
    const { appliesBy } = settingOf(name)
    if (appliesBy === 'database' && sameDatabase) return 'none'
    if (appliesBy.startsWith('postgres-') && after.database.kind === 'external') return 'none'
    return appliesBy
  }
  return [
    ...settingNames
      .filter((name) => before.values[name].value !== after.values[name].value)
      .map((name) => ({ name, action: actionOf(name) })),
    ...configFiles.flatMap((name): Change[] =>
      name !== 'mathesar.env' && before.files[name] !== after.files[name]
        ? [{ name, action: yamlFiles[name].appliesBy }]
        : [],
    ),
  ]
}

/** What Mathesar and the web server in front both read. */
const readByBoth: readonly string[] = ['PUBLIC_URL', 'GUNICORN_TIMEOUT']
const isOfDoor = ({ name, action }: Change): boolean =>
  action === 'door' || (action === 'generation' && readByBoth.includes(name))

/** What has to be done. `units/change.ts` has the steps. */
export type Plan = {
  readonly changes: readonly Change[]
  readonly database: boolean
  /** The seconds within which the other database gets what the embedded one has, while requests wait. */
  readonly carries?: number | undefined
  readonly postgres: 'reload' | 'restart' | undefined
  /** Whether the web server in front has to read its settings again. */
  readonly door: boolean
  /** Whether Mathesar needs a new generation. */
  readonly generation: boolean
}

const postgresActionOf = (has: (action: Action) => boolean): Plan['postgres'] => {
  // A move to another database starts the embedded Postgres, or leaves it behind.
  if (has('database')) return undefined
  if (has('postgres-restart')) return 'restart'
  return has('postgres-reload') ? 'reload' : undefined
}

/**
 * The least that brings all changes into force together.
 * A reload that somebody asks for makes a new generation in any case.
 */
export const planOf = (changes: readonly Change[], reload = false, carries?: number): Plan => {
  const has = (action: Action): boolean => changes.some((change) => change.action === action)
  const database = has('database')
  return {
    changes,
    database,
    carries,
    postgres: postgresActionOf(has),
    door: changes.some(isOfDoor),
    generation: reload || database || has('postgres-restart') || has('generation'),
  }
}

const ofContainer = settingNames.filter((name) => settingOf(name).appliesBy === 'container')

/**
 * What of a configuration can be in force in this container:
 * settings that need another start of it keep their value of this one.
 */
export const inForceOf = (boot: Values, { values, database, files }: Configuration): InForce => {
  const kept = Object.fromEntries(ofContainer.map((name) => [name, boot[name]]))
  const effective: Values = { ...values, ...kept }
  return { values: effective, settings: typeSettings(effective), database, files }
}

export const actionInWords: Readonly<Record<Action, string>> = {
  none: 'in force at once, nothing is restarted',
  door: 'the web server in front reads its settings again; no connection is lost',
  generation: 'a new generation of Mathesar takes over; no request fails',
  'postgres-reload': 'Postgres reads its settings again; no connection is lost',
  'postgres-restart': 'Postgres restarts; requests wait for it',
  database: 'Mathesar moves to the other database, which is checked and migrated first',
  container: 'takes effect at the next start of the container',
}
