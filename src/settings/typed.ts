import { listItems } from '../core/text.ts'
import { durationOf } from './duration.ts'
import { type ConsolePlace, consolePlaceOf } from './console.ts'
import {
  isTrue,
  type Kind,
  type SettingName,
  settingNames,
  settingOf,
  type settingsTable,
  type Values,
} from './table.ts'

type Table = typeof settingsTable

/** The type of a value, by the kind of its setting. */
type TypeOf<S extends { readonly kind: Kind }> = S extends { readonly kind: 'integer' | 'duration' }
  ? number
  : S extends { readonly kind: 'boolean' }
    ? boolean
    : S extends { readonly kind: 'console' }
      ? ConsolePlace
      : S extends { readonly kind: 'hosts' | 'origins' | 'networks' | 'names' | 'recipients' | 'places' }
        ? readonly string[]
        : S extends { readonly choices: readonly (infer Choice)[] }
          ? Choice
          : string

/** The settings as those read them who act on them. One without a default may be `undefined`. */
export type Settings = {
  readonly [Name in SettingName]:
    | TypeOf<Table[Name]>
    | (Table[Name] extends { readonly default: string } ? never : undefined)
}

const typed = (kind: Kind, text: string): number | boolean | string | readonly string[] | object => {
  switch (kind) {
    case 'integer':
      return Number(text)
    case 'duration':
      return durationOf(text)
    case 'boolean':
      return isTrue(text)
    case 'hosts':
    case 'origins':
    case 'networks':
    case 'names':
    case 'recipients':
    case 'places':
      return itemsOf(text)
    case 'console':
      return consolePlaceOf(text)
    case 'text':
    case 'server':
    case 'arguments':
    case 'choice':
    case 'url':
    case 'address':
    case 'json':
    case 'path':
    case 'notify':
    case 'updates':
    case 'schedule':
    case 'retention':
      return text
  }
}

/** The items of a comma-separated list. */
export const itemsOf = (text: string): string[] => listItems(text).filter((item) => item !== '')

/** Values that have been checked, each as its type. */
export const typeSettings = (values: Values): Settings =>
  Object.fromEntries(
    settingNames.map((name) => {
      const { value } = values[name]
      return [name, value === undefined ? undefined : typed(settingOf(name).kind, value)]
    }),
  ) as Settings
