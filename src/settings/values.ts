import { SupervisorError } from '../errors.ts'
import {
  databaseSettings,
  type Environment,
  namesDatabase,
  type SettingName,
  namesOf,
  settingNames,
  settingOf,
  type Source,
  type Value,
  type Values,
} from './table.ts'
import { whyInvalid } from './why-invalid.ts'

type ReadFile = (path: string) => string
type Texts = Partial<Record<SettingName, string>>

const refuse = (name: string, why: string, options: { cause?: unknown; hint?: string } = {}): never => {
  throw new SupervisorError('SETTING_INVALID', `cannot use ${name}: ${why}`, options)
}

/**
 * A value as it is used, compared and kept, whatever way it came: blanks and line breaks at its ends are
 * those of an editor or of a shell. Blanks may belong to a password; a line break at its end never does, nor
 * the mark with which some editors begin UTF-8.
 */
export const cleanValue = (name: SettingName, text: string): string => {
  if (name.endsWith('_PASSWORD')) return text.replace(/^[\r\n\uFEFF]+|[\r\n]+$/g, '')
  const clean = text.trim()
  return settingOf(name).kind === 'boolean' ? (booleans[clean.toLowerCase()] ?? clean) : clean
}

/** The ways in which people write true and false; Mathesar knows few of them. */
const booleans: Readonly<Record<string, string>> = {
  true: 'true',
  t: 'true',
  yes: 'true',
  on: 'true',
  1: 'true',
  false: 'false',
  f: 'false',
  no: 'false',
  off: 'false',
  0: 'false',
}

/** A variable, by the name of its setting or the alias. An empty one counts as not given. */
const readDirect = (environment: Environment, name: SettingName, variable: string): string | undefined => {
  // For a service named postgres, Kubernetes gives every container a POSTGRES_PORT of this form.
  if (variable === 'POSTGRES_PORT' && environment[variable]?.startsWith('tcp://')) return undefined
  const text = environment[variable]
  return text === undefined ? undefined : cleanValue(name, text) || undefined
}

/** The content of the file that a `NAME_FILE` variable names. */
const readNamedFile = (name: SettingName, variable: string, path: string, readFile: ReadFile): string => {
  let text: string
  try {
    text = cleanValue(name, readFile(path))
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    return refuse(variable, `cannot read ${path}: ${code ?? message}`, { cause })
  }
  return text === '' ? refuse(variable, `${path} is empty`) : text
}

/** What may give each setting: its name or the alias, each directly or by a file. */
const variables = new Map(
  settingNames.map((name) => [name, namesOf(name).flatMap((each) => [each, `${each}_FILE`])]),
)

/** What the environment gives of one setting. */
const readGiven = (environment: Environment, readFile: ReadFile, name: SettingName): string | undefined => {
  const [variable, other] = variables
    .get(name)!
    .filter((each) => readDirect(environment, name, each) !== undefined)
  if (variable === undefined) return undefined
  if (other !== undefined)
    refuse(name, `${variable} and ${other} are both given`, {
      hint: `Give only one of ${variable} and ${other}.`,
    })
  const text = variable.endsWith('_FILE')
    ? readNamedFile(name, variable, (environment[variable] ?? '').trim(), readFile)
    : readDirect(environment, name, variable)
  const why = text === undefined ? undefined : whyInvalid(name, text)
  return why === undefined ? text : refuse(name, why)
}

/**
 * The two ways to name a database exclude each other:
 * that of the environment puts the other one in the file aside.
 */
const putAsideBy = (given: Texts, file: Texts): ReadonlySet<SettingName> => {
  const names = (texts: Texts): boolean =>
    databaseSettings.some((name) => namesDatabase(name) && texts[name] !== undefined)
  return new Set<SettingName>([
    ...(given.DATABASE_URL !== undefined && names(file) ? databaseSettings : []),
    ...(names(given) ? (['DATABASE_URL'] as const) : []),
  ])
}

const from = (source: Source, texts: readonly (readonly [string, string | undefined])[]) =>
  Object.fromEntries(texts.map(([name, value]): [string, Value] => [name, { value, source }]))

const defaults = from(
  'default',
  settingNames.map((name) => [name, settingOf(name).default]),
) as Values

/** default < file < environment. `file` has been checked before. */
export const readSettings = (environment: Environment, readFile: ReadFile, file: Texts = {}): Values => {
  const given: Texts = {}
  for (const name of settingNames) {
    const text = readGiven(environment, readFile, name)
    if (text !== undefined) given[name] = text
  }
  const putAside: ReadonlySet<string> = putAsideBy(given, file)
  const inFile = Object.entries(file).filter(([name]) => !putAside.has(name))
  return { ...defaults, ...from('file', inFile), ...from('environment', Object.entries(given)) }
}
