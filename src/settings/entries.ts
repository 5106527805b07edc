import { excerpt, firstFew } from '../core/message.ts'
import { type LineProblem, parseConfig } from './env-file.ts'
import { warningsFor } from './near-names.ts'
import { isSetting, settingNames, settingOf, type SettingName } from './table.ts'
import { whyInvalid } from './why-invalid.ts'
import { cleanValue } from './values.ts'

/** How many names that nobody reads are warned of one by one. */
export const warningsLimit = 20
const nameLimit = 80

type Checked = {
  readonly values: Readonly<Partial<Record<SettingName, string>>>
  readonly problems: readonly LineProblem[]
  readonly warnings: readonly string[]
}

/** Why a name cannot be in the file; `undefined` for one that nobody reads, too. */
const whyRefused = (name: string): string | undefined => {
  if (name.endsWith('_FILE') && isSetting(name.slice(0, -5)))
    return 'a path is taken from the environment only'
  return isSetting(name) && settingOf(name).only === 'environment'
    ? 'it is taken from the environment only'
    : undefined
}

const warnOf = (name: string): string => {
  const [known] = warningsFor([name], settingNames)
  const warning = known ?? `unknown setting ${excerpt(name, nameLimit)}: it has no effect in this file`
  return `mathesar.env: ${warning}`
}

/** The settings in a mathesar.env. An empty value counts as not given. */
export const checkEntries = (text: string): Checked => {
  const { entries, problems } = parseConfig(text)
  const all: LineProblem[] = [...problems]
  const values: Partial<Record<SettingName, string>> = {}
  const unknown: string[] = []
  for (const { name, value: written, line } of entries) {
    const value = isSetting(name) ? cleanValue(name, written) : written
    const why = whyRefused(name) ?? (isSetting(name) && value !== '' ? whyInvalid(name, value) : undefined)
    if (why !== undefined) all.push({ line, why: `${name}: ${why}` })
    else if (!isSetting(name)) unknown.push(name)
    else if (value !== '') values[name] = value
  }
  const limits = { limit: warningsLimit, others: 'unknown settings in mathesar.env' }
  return { values, problems: all, warnings: firstFew(unknown, warnOf, limits) }
}
