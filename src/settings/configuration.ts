import { excerpt, firstFew } from '../core/message.ts'
import { SupervisorError } from '../errors.ts'
import { type Database, databaseOf } from './database.ts'
import { checkEntries, warningsLimit } from './entries.ts'
import { parseConfig } from './env-file.ts'
import { warningsFor } from './near-names.ts'
import {
  type Environment,
  settingNames,
  settingOf,
  type SettingName,
  type Values,
  variableNames,
} from './table.ts'
import { type Settings, typeSettings } from './typed.ts'
import { readSettings } from './values.ts'
import { warningsForVersion } from './mathesar-versions.ts'
import {
  checkYaml,
  dictionaries,
  type ParseYaml,
  type YamlFile,
  yamlNames,
  whyBadYaml,
} from './yaml-files.ts'

/** The files of the config folder that the supervisor knows, watches and hands on. */
export const configFiles = ['mathesar.env', ...yamlNames] as const
export type ConfigFile = 'mathesar.env' | YamlFile
/** Their content; `undefined` for one that is not there. */
export type ConfigFiles = Readonly<Record<ConfigFile, string | undefined>>

/** What is wrong where. Never repeats a secret. */
type Fault = { readonly file: ConfigFile; readonly line: number | null; readonly why: string }

/**
 * What is in force: the settings as texts with their sources and as typed values, the database that they
 * mean, and the files.
 */
export type InForce = {
  readonly values: Values
  readonly settings: Settings
  readonly database: Database
  readonly files: ConfigFiles
}

/**
 * The config files and the environment, read, checked and merged. `version` names the content of the files.
 */
export type Configuration = InForce & {
  readonly version: string
  /** What the YAML files hold, as data. */
  readonly yaml: readonly unknown[]
  readonly warnings: readonly string[]
}

type Reading = {
  readonly environment: Environment
  readonly readFile: (path: string) => string
  readonly parseYaml: ParseYaml
  /** The version of Mathesar in the image; `null` where it does not say. */
  readonly mathesar?: string | null
}

/**
 * The largest file that is read; a larger one cannot become the configuration. Its worst content costs PID 1
 * some hundredths of a second.
 */
export const fileLimitBytes = 64 * 1024

/** How much of a fault is repeated. */
const whyLimit = 300

/** So many files each supervisor has known. */
export const leastFiles = 3

/**
 * The files as JSON: a list in the order of `configFiles`, with null for one that is not there. Those that
 * were added later are named only where they are there: an older supervisor reads the list of the others, and
 * the version of files that do not change stays the same.
 */
export const formatFiles = (files: ConfigFiles): string => {
  const all = configFiles.map((name) => files[name] ?? null)
  const last = all.findLastIndex((text) => text !== null)
  return JSON.stringify(all.slice(0, Math.max(leastFiles, last + 1)))
}

/** Names the content of the files. Node's crypto takes 5 ms to load: not before a name is asked for. */
export const versionOf = (files: ConfigFiles): string =>
  process.getBuiltinModule('node:crypto').hash('sha256', formatFiles(files)).slice(0, 12)

const sizeFaults = (files: ConfigFiles): readonly Fault[] =>
  configFiles
    .filter((file) => Buffer.byteLength(files[file] ?? '') > fileLimitBytes)
    .map((file) => ({ file, line: null, why: `it is larger than ${fileLimitBytes / 1024} KiB` }))

const faultInWords = ({ file, line, why }: Fault): string =>
  `${file}${line === null ? '' : `, line ${line}`}: ${excerpt(why, whyLimit)}`

const refuse = (faults: readonly Fault[]): never => {
  const all = firstFew(faults, faultInWords).join('; ')
  throw new SupervisorError('CONFIG_INVALID', `cannot use the configuration: ${all}`)
}

/** Variables whose names look like a misspelled setting. */
export const environmentWarnings = (environment: Environment): readonly string[] => {
  const given = Object.keys(environment).filter((name) => environment[name])
  const limits = { limit: warningsLimit, others: 'such variables' }
  return firstFew(warningsFor(given, variableNames, /^MATHESAR_/), (warning) => warning, limits)
}

/** METRICS is held to the address that a request comes from, which whom TRUSTED_PROXIES names may say. */
const metricsWarnings = ({ METRICS, TRUSTED_PROXIES }: Values): readonly string[] =>
  ['none', 'private'].includes(METRICS.value ?? 'none') || TRUSTED_PROXIES.source !== 'default'
    ? []
    : [
        `METRICS=${METRICS.value} keeps nobody out who has a private address: TRUSTED_PROXIES is ` +
          '`private` by default, so they may say that they come from elsewhere; set it to `none`, or to ' +
          'your proxy',
      ]

/** Holds them to the shape of the files: Mathesar would answer 500 to everybody who is logged in. */
const checkDictionaries = (values: Values): void => {
  for (const [name, file] of dictionaries) {
    const { value, source } = values[name]
    const why = value === undefined ? undefined : whyBadYaml(file, JSON.parse(value))
    if (why === undefined) continue
    const code = source === 'environment' ? 'SETTING_INVALID' : 'CONFIG_INVALID'
    throw new SupervisorError(code, `cannot use ${name}: ${why}`)
  }
}

/** What somebody has set, of the settings and the files. */
const givenOf = (values: Values, files: ConfigFiles): readonly (SettingName | YamlFile)[] => [
  ...settingNames.filter((name) => values[name].source !== 'default'),
  ...yamlNames.filter((name) => files[name] !== undefined),
]

/** Reads, checks and merges. Throws an error that names each bad line; nothing of the files is used then. */
export const readConfiguration = (
  files: ConfigFiles,
  { environment, readFile, parseYaml, mathesar = null }: Reading,
): Configuration => {
  const tooLarge = sizeFaults(files)
  const entries = checkEntries(tooLarge.length > 0 ? '' : (files['mathesar.env'] ?? ''))
  // First: a fault of the environment is not the file's.
  const values = readSettings(environment, readFile, entries.values)
  if (tooLarge.length > 0) return refuse(tooLarge)
  checkDictionaries(values)
  const { yaml, faults: yamlFaults } = checkYaml(files, parseYaml)
  const faults: readonly Fault[] = [
    ...entries.problems.map((problem) => ({ file: 'mathesar.env' as const, ...problem })),
    ...yamlFaults,
  ]
  if (faults.length > 0) return refuse(faults)
  let version: string | undefined
  return {
    get version() {
      return (version ??= versionOf(files))
    },
    files,
    values,
    settings: typeSettings(values),
    database: databaseOf(values),
    yaml,
    warnings: [
      ...environmentWarnings(environment),
      ...entries.warnings,
      ...metricsWarnings(values),
      ...warningsForVersion(givenOf(values, files), mathesar),
    ],
  }
}

/**
 * The edits that write what the environment gives into the file, so that the next container on the same
 * volume keeps it.
 */
export const editsToPersist = (
  { values, files }: Configuration,
  environment: Environment,
): Readonly<Record<string, string | undefined>> => {
  const { entries } = parseConfig(files['mathesar.env'] ?? '')
  const inFile = new Map(entries.map(({ name, value }) => [name, value]))
  const edits: Record<string, string | undefined> = {}
  for (const name of settingNames) {
    const { value, source } = values[name]
    // A value that came by NAME_FILE stays where its owner put it.
    const isDirect = source === 'environment' && Boolean(environment[name])
    if (isDirect && settingOf(name).only === undefined && inFile.get(name) !== value) edits[name] = value
    // Put aside: the environment names the database in the other way.
    if (source === 'default' && inFile.get(name)) edits[name] = undefined
  }
  return edits
}

/**
 * A setting as `config show` and the user interface see it. Secrets are masked: `value` is null, `given` says
 * whether there is one.
 */
export const describeSetting = (name: SettingName, values: Values, inForce: Values) => {
  const setting = settingOf(name)
  const { kind, description, appliesBy, only, choices, min, max, secret = false } = setting
  const { value, source } = values[name]
  return {
    name,
    kind,
    description,
    secret,
    source,
    appliesBy,
    value: secret ? null : (value ?? null),
    given: source !== 'default',
    pinned: source === 'environment' || only === 'environment',
    default: setting.default ?? null,
    ...(choices ? { choices } : {}),
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    pendingRestart: value !== inForce[name].value,
  }
}
export type DescribedSetting = ReturnType<typeof describeSetting>
