import fc from 'fast-check'
import { formatEntry } from '../../src/settings/env-file.ts'
import { type ConfigFiles, type Configuration, readConfiguration } from '../../src/settings/configuration.ts'
import { type Environment, settingNames, settingOf, type SettingName } from '../../src/settings/table.ts'
import { parse } from 'yaml'

export type Given = Partial<Record<SettingName, string>>

export const filesOf = (text: string | undefined, others: Partial<ConfigFiles> = {}): ConfigFiles => ({
  'mathesar.env': text,
  'sso.yml': undefined,
  'file_storage.yml': undefined,
  ...others,
})
export const fileOf = (given: Given): string =>
  Object.entries(given)
    .map(([name, value]) => `${formatEntry(name, value)}\n`)
    .join('')

/** Reads files and an environment as the daemon does. `secretFiles` are those that a NAME_FILE may name. */
export const read = (
  files: ConfigFiles,
  environment: Environment = {},
  secretFiles: Readonly<Record<string, string>> = {},
): Configuration =>
  readConfiguration(files, {
    environment,
    parseYaml: (text) => parse(text, { logLevel: 'error' }),
    readFile: (path) =>
      secretFiles[path] ??
      (() => {
        throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
      })(),
  })
export const readFile = (given: Given | string, environment: Environment = {}): Configuration =>
  read(filesOf(typeof given === 'string' ? given : fileOf(given)), environment)

const databaseNames = [
  'POSTGRES_HOST',
  'POSTGRES_PORT',
  'POSTGRES_DB',
  'POSTGRES_USER',
  'POSTGRES_PASSWORD',
  'POSTGRES_SSLMODE',
  'POSTGRES_SSLROOTCERT',
  'DATABASE_URL',
] as const
const text = fc
  .string({ unit: 'binary', minLength: 1, maxLength: 12 })
  .filter((value) => !value.includes('\0'))
const host = fc.constantFrom('a.org', '.b.org', '10.0.0.1', '[::1]', '*', ' c.org ')

/** A value that the setting takes. */
export const anyValueOf = (name: SettingName): fc.Arbitrary<string> => {
  const { kind, choices = [], min = 0, max = 1e9 } = settingOf(name)
  switch (kind) {
    case 'integer':
      return fc.integer({ min, max }).map(String)
    case 'boolean':
      return fc.constantFrom('true', 'True', 't', 'false', 'False', 'f')
    case 'choice':
      return fc.constantFrom(...choices)
    case 'list':
      return fc.array(host, { minLength: 1, maxLength: 3 }).map((hosts) => hosts.join(','))
    case 'url':
      return fc.constantFrom('http://a.org', 'https://b.org:8443/x')
    case 'ipv4':
      return fc.ipV4()
    case 'json':
      return fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 2 }).map((value) => JSON.stringify(value))
    case 'path':
      return text.map((rest) => `/${rest.replace(/[\n\r]/g, '')}`)
    case 'text':
      return text
  }
}

/** No database, a URL, or a whole set of settings for one. */
const anyDatabase: fc.Arbitrary<Given> = fc.oneof(
  fc.constant({}),
  fc
    .constantFrom(
      'postgres://u:p@db/m',
      'postgres://u@db:5433/m',
      'postgresql://u:other@db2/m?sslmode=require',
    )
    .map((url) => ({ DATABASE_URL: url })),
  fc.record(
    {
      POSTGRES_HOST: text,
      POSTGRES_DB: text,
      POSTGRES_USER: text,
      POSTGRES_PORT: anyValueOf('POSTGRES_PORT'),
      POSTGRES_PASSWORD: text,
      POSTGRES_SSLMODE: anyValueOf('POSTGRES_SSLMODE'),
      POSTGRES_SSLROOTCERT: anyValueOf('POSTGRES_SSLROOTCERT'),
    },
    { requiredKeys: ['POSTGRES_HOST', 'POSTGRES_DB', 'POSTGRES_USER', 'POSTGRES_SSLROOTCERT'] },
  ),
)
const fields = (names: readonly SettingName[]): fc.Arbitrary<Given> =>
  fc.record(Object.fromEntries(names.map((name) => [name, anyValueOf(name)])), { requiredKeys: [] })
const inFile = settingNames.filter(
  (name) => settingOf(name).only === undefined && !databaseNames.some((other) => other === name),
)

/** Settings as a file gives them, valid. A few of them: most of a record of all would be there each time. */
export const anyFile: fc.Arbitrary<Given> = fc
  .subarray(inFile, { maxLength: 6 })
  .chain((names) =>
    fc.tuple(fields(names), anyDatabase).map(([given, database]) => ({ ...given, ...database })),
  )
/** The same of an environment, which may give more. */
export const anyEnvironment: fc.Arbitrary<Given> = fc
  .tuple(anyFile, fields(['SECRET_KEY', 'UI_MAY_EDIT_CONFIG']))
  .map(([file, more]) => ({ ...file, ...more }))
export const anyConfiguration: fc.Arbitrary<Configuration> = fc
  .tuple(anyFile, anyEnvironment, fc.constantFrom(undefined, 'version: 2\n', 'version: 2\nproviders: {}\n'))
  .map(([file, environment, sso]) => read(filesOf(fileOf(file), { 'sso.yml': sso }), environment))
