import { SupervisorError } from '../errors.ts'
import { parseConfig } from './env-file.ts'
import { excerpt, firstFew } from '../core/message.ts'
import { warningsFor } from './near-names.ts'
import {
  type Database,
  databaseOf,
  type Environment,
  isSetting,
  readSettings,
  settingNames,
  settingOf,
  type SettingName,
  type Values,
  whyInvalid,
} from './table.ts'

/** The files of the config folder that the supervisor knows, watches and hands on. */
export const configFiles = ['mathesar.env', 'sso.yml', 'file_storage.yml'] as const
export type ConfigFile = (typeof configFiles)[number]
/** Their content; `undefined` for one that is not there. */
export type ConfigFiles = Readonly<Record<ConfigFile, string | undefined>>

/** What is wrong where. Never repeats a secret. */
export type Fault = { readonly file: ConfigFile; readonly line: number | null; readonly why: string }

/** The config files and the environment, read, checked and merged. `version` names the content of the files. */
export type Configuration = {
  readonly version: string
  readonly files: ConfigFiles
  readonly settings: Values
  readonly database: Database
  /** What sso.yml and file_storage.yml hold, as data. */
  readonly yaml: readonly unknown[]
  readonly warnings: readonly string[]
}

/** Parses YAML to data or throws an error with a message; passed in, because it is loaded only where such a file exists. */
export type ParseYaml = (text: string) => unknown
type Reading = {
  readonly environment: Environment
  readonly readFile: (path: string) => string
  readonly parseYaml: ParseYaml
}

/** The largest file that is read; a larger one cannot become the configuration. Its worst content costs PID 1 some hundredths of a second. */
export const fileLimitBytes = 64 * 1024

/** How many names that nobody reads are warned of one by one, and how much of a name or of a fault is repeated. */
const warningsLimit = 20
const nameLimit = 80
const whyLimit = 300

/** The files as JSON: a list in the order of `configFiles`, with null for one that is not there. */
export const formatFiles = (files: ConfigFiles): string =>
  JSON.stringify(configFiles.map((name) => files[name] ?? null))

/** Names the content of the files. Node's crypto takes 5 ms to load: not before a name is asked for. */
export const versionOf = (files: ConfigFiles): string =>
  process
    .getBuiltinModule('node:crypto')
    .createHash('sha256')
    .update(formatFiles(files))
    .digest('hex')
    .slice(0, 12)

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Mathesar ignores a bad sso.yml without a word, and answers 500 everywhere on a bad file_storage.yml: so both are held to their shape here. */
const whyBadYaml = (file: 'sso.yml' | 'file_storage.yml', value: unknown): string | undefined => {
  if (!isRecord(value)) return 'it holds no mapping'
  if (file === 'file_storage.yml')
    return Object.entries(value).flatMap(([name, backend]) =>
      isRecord(backend) ? [] : [`${name} is no mapping`],
    )[0]
  const version = value.version ?? 1
  if (version !== 1 && version !== 2) return 'its version is neither 1 nor 2'
  const providers = value[version === 1 ? 'oidc_providers' : 'providers']
  return providers == null || isRecord(providers)
    ? undefined
    : `${version === 1 ? 'oidc_providers' : 'providers'} is no mapping`
}

const sizeFaults = (files: ConfigFiles): Fault[] =>
  configFiles
    .filter((file) => Buffer.byteLength(files[file] ?? '') > fileLimitBytes)
    .map((file) => ({ file, line: null, why: `it is larger than ${fileLimitBytes / 1024} KiB` }))

const checkYaml = (
  files: ConfigFiles,
  parseYaml: ParseYaml,
): { readonly yaml: unknown[]; readonly faults: Fault[] } => {
  const yaml: unknown[] = []
  const faults: Fault[] = []
  for (const file of ['sso.yml', 'file_storage.yml'] as const) {
    const text = files[file]
    if (text === undefined) continue
    try {
      const value = parseYaml(text)
      const why = whyBadYaml(file, value)
      yaml.push(value)
      if (why !== undefined) faults.push({ file, line: null, why })
    } catch (error) {
      const { linePos, code } = error as { linePos?: readonly { line: number }[]; code?: string }
      faults.push({
        file,
        line: linePos?.[0]?.line ?? null,
        why: `it is no YAML (${code ?? 'cannot be read'})`,
      })
    }
  }
  return { yaml, faults }
}

const checkEntries = (
  text: string,
): {
  readonly values: Partial<Record<SettingName, string>>
  readonly faults: Fault[]
  readonly warnings: string[]
} => {
  const { entries, problems } = parseConfig(text)
  const faults: Fault[] = problems.map((problem) => ({ file: 'mathesar.env', ...problem }))
  const values: Partial<Record<SettingName, string>> = {}
  const unknown: string[] = []
  for (const { name, value, line } of entries) {
    const refuse = (why: string): void =>
      void faults.push({ file: 'mathesar.env', line, why: `${name}: ${why}` })
    if (name.endsWith('_FILE') && isSetting(name.slice(0, -5)))
      refuse('a path is taken from the environment only')
    else if (!isSetting(name)) unknown.push(name)
    else if (settingOf(name).only === 'environment') refuse('it is taken from the environment only')
    else if (value !== '') {
      const why = whyInvalid(name, value)
      if (why === undefined) values[name] = value
      else refuse(why)
    }
  }
  const warningOf = (name: string): string =>
    `mathesar.env: ${warningsFor([name], settingNames)[0] ?? `unknown setting ${excerpt(name, nameLimit)}: it has no effect in this file`}`
  return {
    values,
    faults,
    warnings: firstFew(unknown, warningOf, {
      limit: warningsLimit,
      others: 'unknown settings in mathesar.env',
    }),
  }
}

const faultInWords = ({ file, line, why }: Fault): string =>
  `${file}${line === null ? '' : `, line ${line}`}: ${excerpt(why, whyLimit)}`

/** Variables whose names look like a misspelt setting. */
export const environmentWarnings = (environment: Environment): readonly string[] =>
  firstFew(
    warningsFor(
      Object.keys(environment).filter((name) => environment[name]),
      settingNames,
    ),
    (warning) => warning,
    { limit: warningsLimit, others: 'such variables' },
  )

/** Reads, checks and merges. Throws an error that names each bad line; nothing of the files is used then. */
export const readConfiguration = (
  files: ConfigFiles,
  { environment, readFile, parseYaml }: Reading,
): Configuration => {
  const refuse = (faults: readonly Fault[]): never => {
    throw new SupervisorError(
      'CONFIG_INVALID',
      `cannot use the configuration: ${firstFew(faults, faultInWords).join('; ')}`,
    )
  }
  const tooLarge = sizeFaults(files)
  const {
    values,
    faults: entryFaults,
    warnings,
  } = checkEntries(tooLarge.length > 0 ? '' : (files['mathesar.env'] ?? ''))
  const settings = readSettings(environment, readFile, values) // First: a fault of the environment is not the file's.
  if (tooLarge.length > 0) return refuse(tooLarge)
  const { yaml, faults: yamlFaults } = checkYaml(files, parseYaml)
  const faults = [...entryFaults, ...yamlFaults]
  if (faults.length > 0) return refuse(faults)
  return {
    get version() {
      return versionOf(files)
    },
    files,
    settings,
    database: databaseOf(settings),
    yaml,
    warnings: [...environmentWarnings(environment), ...warnings],
  }
}

/** The edits that write what the environment gives into the file, so that the next container on the same volume keeps it. */
export const editsToPersist = (
  { settings, files }: Configuration,
  environment: Environment,
): Readonly<Record<string, string | undefined>> => {
  const inFile = new Map(
    parseConfig(files['mathesar.env'] ?? '').entries.map(({ name, value }) => [name, value]),
  )
  const edits: Record<string, string | undefined> = {}
  for (const name of settingNames) {
    const { value, source } = settings[name]
    // A value that came by NAME_FILE stays where its owner put it.
    if (
      source === 'environment' &&
      environment[name] &&
      settingOf(name).only === undefined &&
      inFile.get(name) !== value
    )
      edits[name] = value
    if (source === 'default' && inFile.get(name)) edits[name] = undefined // Put aside: the environment names the database in the other way.
  }
  return edits
}

/** A setting as `config show` and the user interface see it. Secrets are masked: `value` is null, `given` tells whether there is one. */
export const describeSetting = (name: SettingName, settings: Values, inForce: Values) => {
  const { kind, default: fallback, secret = false, change, does, only, choices, min, max } = settingOf(name)
  const { value, source } = settings[name]
  return {
    name,
    kind,
    does,
    secret,
    source,
    change,
    value: secret ? null : (value ?? null),
    given: source !== 'default',
    pinned: source === 'environment' || only === 'environment',
    default: fallback ?? null,
    ...(choices ? { choices } : {}),
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    waitsForStart: value !== inForce[name].value,
  }
}
export type DescribedSetting = ReturnType<typeof describeSetting>
