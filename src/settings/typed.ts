import { type Kind, kinds } from './kinds.ts'
import { type SettingName, settingNames, settingOf, type settingsTable, type Values } from './table.ts'

type Table = typeof settingsTable

/** The type of a value, by the kind of its setting. */
type TypeOf<S extends { readonly kind: Kind }> = S extends {
  readonly kind: 'choice'
  readonly choices: readonly (infer Choice)[]
}
  ? Choice
  : ReturnType<(typeof kinds)[S['kind']]['parse']>

/** The settings as those read them who act on them. One without a default may be `undefined`. */
export type Settings = {
  readonly [Name in SettingName]:
    | TypeOf<Table[Name]>
    | (Table[Name] extends { readonly default: string } ? never : undefined)
}

const typeOf = (name: SettingName, text: string | undefined): unknown =>
  text === undefined ? undefined : kinds[settingOf(name).kind].parse(text)

const defaults = Object.fromEntries(settingNames.map((name) => [name, typeOf(name, settingOf(name).default)]))

/** Values that have been checked, each as its type. */
export const typeSettings = (values: Values): Settings => {
  const given = settingNames.filter((name) => values[name].source !== 'default')
  return {
    ...defaults,
    ...Object.fromEntries(given.map((name) => [name, typeOf(name, values[name].value)])),
  } as Settings
}
