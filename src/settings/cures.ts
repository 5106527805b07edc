import { type ErrorCode, errorTable } from '../errors.ts'
import { databaseSettings, settingNames, settingOf, type SettingName, type Values } from './table.ts'

/** Those that say which database, by the one of the two ways that is used. */
const databaseCures = ({ DATABASE_URL: { value } }: Values): readonly SettingName[] =>
  value === undefined ? databaseSettings : ['DATABASE_URL']

/** Settings of the file: what was in force by itself has served elsewhere. */
const givenByFile = (values: Values): readonly SettingName[] =>
  settingNames.filter((name) => values[name].source === 'file' && settingOf(name).kind !== 'json')

/** The settings that may cure a failure; none where no settings do. */
export const curesOf = (code: ErrorCode, values: Values): readonly SettingName[] => {
  if (!errorTable[code].maybeBySettings) return []
  return code.startsWith('DATABASE_') || code === 'MIGRATIONS_FAILED'
    ? databaseCures(values)
    : givenByFile(values)
}
